/** Copies inside one registry: accounts, and what would be mounted. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { test } from "node:test";
import { startUploadRegistry } from "../helpers/upload_registry.ts";
import { isError } from "../transport/registry/registry_fixture.ts";
import { Layout, type Shape, useCopies } from "./copy_fixture.ts";

const { copy, newHome } = useCopies();
const IMAGE: Shape = { kind: "image", layers: [1, 2] };

test("each request has the account of its side, also on one host", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const root = source.add(IMAGE);
  source.list(root, "v1");
  const basic = (user: string) => `Basic ${Buffer.from(`${user}:${user}-pass`).toString("base64")}`;
  const seen = new Set<string>();
  let isOpen = true;
  await using registry = await startUploadRegistry({
    fault(moment, method, _path, { repository, authorization }) {
      if (isOpen || moment !== "before") return undefined;
      if (authorization === undefined) {
        return { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } };
      }
      const user = [basic("reader"), basic("writer")].indexOf(authorization);
      seen.add(
        `${["reader", "writer"][user]} ${repository} ${/GET|HEAD/.test(method) ? "" : "write"}`,
      );
      return undefined;
    },
  });
  const from = `docker://${registry.host}/team/app:v1`;
  await copy(`oci:${source.path}:v1`, from);
  isOpen = false;
  registry.blobs.delete(JSON.parse(root.bytes.toString()).layers[0].digest);
  const kept = copy(from, `docker://${registry.host}/team/other:v1`, {
    source: { user: "reader", password: "reader-pass" },
    destination: { user: "writer", password: "writer-pass" },
  });
  await assert.rejects(kept, isError("not_found", /^The source docker:/));
  assert.deepEqual([...seen].sort(), [
    "reader team/app ",
    "writer team/other ",
    "writer team/other write",
  ]);
});

test("a dry run in one registry says what may be mounted", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  source.list(source.add(IMAGE), "v1");
  await using registry = await startUploadRegistry();
  const from = `docker://${registry.host}/team/app:v1`;
  await copy(`oci:${source.path}:v1`, from);
  const present = new Map(registry.blobs);
  registry.blobs.clear();
  const { blobs, bytes } = await copy(from, `docker://${registry.host}/team/other:v1`, {
    dryRun: true,
  });
  assert.deepEqual(new Set(blobs.map(({ fate }) => fate)), new Set(["mountable"]));
  assert.deepEqual([bytes, blobs.length, registry.blobs.size], [0, present.size, 0]);
});
