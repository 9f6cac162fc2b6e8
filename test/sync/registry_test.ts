/** Syncs to a registry that fails at chosen moments. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { OCI_INDEX } from "../../lib/oci/media_types.ts";
import { Layout } from "../copy/copy_fixture.ts";
import { jsonBlob } from "../helpers/image_fixture.ts";
import { type Fault, startUploadRegistry } from "../helpers/upload_registry.ts";
import { fates, layerOf, layoutWith, useSyncs } from "./sync_fixture.ts";

const { scratch, sync } = useSyncs();
const BASE = layerOf("base");
const IMAGES = {
  "example.org/team/one:1": [BASE, layerOf("one")],
  "example.org/team/one:2": [BASE, layerOf("two")],
  "example.org/other/web:1": [BASE, layerOf("web")],
};
const { path: near, digests } = layoutWith(join(scratch, "near"), IMAGES);

test("images share their blobs: a repository gets each of them once", async () => {
  await using registry = await startUploadRegistry();
  const { bytes } = await sync(`oci:${near}`, `docker://${registry.host}/far`);
  const sent = registry.log.filter((line) => line.startsWith("PATCH "));
  // The base goes to two repositories, because this registry mounts nothing; with it three layers and
  // three configurations.
  assert.equal(sent.length, 8, registry.log.join("\n"));
  assert.ok(bytes >= 5 * BASE.size && bytes < 6 * BASE.size);
  assert.deepEqual(
    new Set(
      ["far/team/one:1", "far/team/one:2", "far/other/web:1"].map((name) =>
        registry.tags.get(name)
      ),
    ),
    new Set(Object.values(digests)),
  );
});

test("a registry that denies a manifest for a moment is asked again, when the others are done", async () => {
  const refused = new Set<string>();
  const fault = (moment: string, method: string, path: string): Fault => {
    if (moment !== "before" || method !== "PUT" || !path.includes("manifests/")) {
      return undefined;
    }
    if (refused.size > 0) return undefined;
    refused.add(path);
    return { status: 400, body: '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}' };
  };
  await using registry = await startUploadRegistry({ fault });
  const log: string[] = [];
  const result = await sync(`oci:${near}`, `docker://${registry.host}/far`, { log });
  assert.deepEqual(fates(result), { "one:1": "copied", "one:2": "copied", "web:1": "copied" });
  assert.equal(refused.size, 1);
  assert.ok(log.every((line) => !line.includes("MANIFEST_BLOB_UNKNOWN")), log.join("\n"));
});

test("what the registry refuses for good fails, and stops the run unless asked otherwise", async () => {
  const fault = (moment: string, method: string, path: string): Fault =>
    moment === "before" && method === "PUT" && path.endsWith("manifests/1")
      ? { status: 400, body: '{"errors":[{"code":"TAG_INVALID"}]}' }
      : undefined;
  await using registry = await startUploadRegistry({ fault });
  const result = await sync(`oci:${near}`, `docker://${registry.host}/far`, { keepGoing: true });
  assert.deepEqual(fates(result), { "one:1": "failed", "one:2": "copied", "web:1": "failed" });
  const stopped = await sync(`oci:${near}`, `docker://${registry.host}/far`);
  assert.ok(stopped.images.some(({ fate }) => fate === "failed"));
  assert.ok(!stopped.images.some(({ fate }) => fate === "copied"));
});

test("two images that would get one name are refused before anything is sent", async () => {
  await using registry = await startUploadRegistry();
  const { path: other } = layoutWith(join(scratch, "other"), {
    "elsewhere.org/team/one:1": [layerOf("another")],
  });
  const lists = [`oci:${near}`, `oci:${other}`];
  const to = `docker://${registry.host}/far`;
  await assert.rejects(sync(lists, to), /would both become docker:.*one:1/);
  assert.deepEqual(registry.log, []);
  const scoped = await sync(lists, to, { scoped: true });
  assert.equal(scoped.images.length, 4);
  assert.ok(registry.tags.has("far/elsewhere.org/team/one:1"));
});

test("a dry run sends nothing, and says what it would copy", async () => {
  await using registry = await startUploadRegistry();
  const result = await sync(`oci:${near}`, `docker://${registry.host}/far`, { dryRun: true });
  assert.deepEqual(fates(result), { "one:1": "missing", "one:2": "missing", "web:1": "missing" });
  assert.ok(registry.log.every((line) => line.startsWith("HEAD ")), registry.log.join("\n"));
});

test("pruning leaves an image that a listed index has, also where its entry is wrong", async () => {
  const layout = new Layout(join(scratch, "wrong"));
  const image = layout.add({ kind: "image", layers: [1] });
  const { digest, mediaType, size } = image;
  const index = layout.put(
    jsonBlob(OCI_INDEX, {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [{ digest, mediaType, size: size + 1 }],
    }),
  );
  layout.list(index, "example.org/team/one:all");
  await using registry = await startUploadRegistry({ deletes: "manifests" });
  for (
    const [tag, { mediaType: type, bytes, digest }] of [["all", index], ["part", image]] as const
  ) {
    registry.manifests.set(digest, { type, bytes });
    registry.tags.set(`far/team/one:${tag}`, digest);
  }
  const result = await sync(`oci:${layout.path}`, `docker://${registry.host}/far`, {
    prune: () => Promise.resolve(true),
  });
  assert.deepEqual([fates(result), result.removed], [{ "one:all": "present" }, []]);
  assert.ok(registry.manifests.has(digest));
});
