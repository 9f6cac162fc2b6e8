/** Tests what the tags of a place are asked for, how often, and when that ends. */

import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describeTags, type TagDescription } from "../../lib/image/describe_tags.ts";
import type { Digest } from "../../lib/types/image.ts";
import type { DockerReference, Reference } from "../../lib/types/reference.ts";
import { layoutMembers, newDockerArchive } from "../helpers/archive_fixture.ts";
import { startFakeRegistry } from "../helpers/fake_registry.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { startRegistry } from "../helpers/registry_server.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";
import { writeArchive } from "../transport/archive/archive_tests.ts";
import {
  asked,
  registriesConf,
  serve,
  withMirrors,
} from "../transport/registry/mirrors/mirrors_fixture.ts";
import { makeSettings } from "../transport/registry/registry_fixture.ts";

const scratch = scratchDirectory("describe-tags");
const TAGS = ["n/app:1", "n/app:2", "n/app:3", "n/app:4", "n/app:5", "n/app:6"];
const layout = join(scratch, "layout");
const image = writeImage(layout, {
  layers: [[file("a", "1".repeat(100_000))]],
  compression: "none",
  tag: TAGS[0]!,
});
for (const tag of TAGS.slice(1)) {
  writeImage(layout, { layers: [[file("a", "1".repeat(100_000))]], compression: "none", tag });
}

async function describe(
  reference: Reference,
  tags: readonly string[],
  environment: Record<string, string> = {},
  onFirst = () => {},
): Promise<readonly TagDescription[]> {
  const settings = makeSettings({
    cachePath: join(scratch, "cache"),
    transferRetries: 0,
    environment,
  });
  const all: TagDescription[] = [];
  for await (const one of describeTags({ reference, tags }, { settings })) {
    if (all.push(one) === 1) onFirst();
  }
  return all;
}

const digests = (all: readonly TagDescription[]) =>
  all.map((one) => "error" in one ? one.error.message : one.digest);

test("a compressed archive is read once for all its tags", async () => {
  const members = {
    "docker-archive": newDockerArchive(image, TAGS),
    "oci-archive": layoutMembers(layout),
  };
  for (const scheme of ["docker-archive", "oci-archive"] as const) {
    const path = writeArchive(scratch, members[scheme], (tar) => gzipSync(tar));
    const all = await describe({ scheme, path }, [...TAGS, "n/app:none"], {}, () => rmSync(path));
    const shown = digests(all);
    assert.match(shown.pop()!, /has no (?:tag|image) "n\/app:none"/);
    assert.equal(new Set(shown).size, 1, shown.join("\n"));
    assert.match(shown[0]!, /^sha256:/);
  }
});

test("an image for another architecture is described, unless the caller named one", async () => {
  const path = join(scratch, "foreign");
  const platform = { os: "linux", architecture: "s390x" };
  writeImage(path, { layers: [], compression: "none", tag: "v1", platform });
  const list = { reference: { scheme: "oci", path }, tags: ["v1"] } as const;
  const settings = makeSettings({ cachePath: join(scratch, "cache") });
  for (const architecture of [undefined, "s390x", "amd64", "arm64"]) {
    for await (const one of describeTags(list, { settings, architecture })) {
      if (architecture === undefined) {
        assert.ok(!("error" in one), JSON.stringify(one));
        assert.deepEqual(one.otherPlatform, platform);
      } else if (architecture === "s390x") {
        assert.ok(!("error" in one) && one.otherPlatform === undefined, JSON.stringify(one));
      } else {
        assert.ok("error" in one, JSON.stringify(one));
        assert.equal(
          one.error.message,
          `The image is for linux/s390x, not for linux/${architecture}`,
        );
      }
    }
  }
});

test("a mirror that fails is not asked again for every tag", async () => {
  await using mirror = await serve(
    new Proxy({}, { get: () => ({ status: 500 }) }) as Parameters<typeof serve>[0],
  );
  const registry = await startRegistry();
  try {
    const tags = Array.from({ length: 12 }, (_, index) => `v${index}`);
    for (const tag of tags) registry.add(image, "team/app", tag);
    const reference: Reference = {
      scheme: "docker",
      registry: registry.host,
      repository: "team/app",
    };
    const environment = registriesConf(scratch, withMirrors(registry.host, [mirror]));
    const all = await describe(reference, tags, environment);
    assert.deepEqual(digests(all), tags.map(() => image.manifest.digest));
    assert.ok(mirror.requests.length <= 4, `The mirror was asked ${mirror.requests.length} times`);
  } finally {
    await registry.stop();
  }
});

test("more tags than the limit are refused, and so are places without tags", async () => {
  const place: Reference = { scheme: "oci", path: layout };
  await assert.rejects(describe(place, Array(1001).fill("n/app:1")), { code: "limit" });
  const copy = join(scratch, "copy");
  mkdirSync(copy);
  writeFileSync(join(copy, "manifest.json"), image.manifest.bytes);
  writeFileSync(join(copy, "version"), "Directory Transport Version: 1.1\n");
  await assert.rejects(describe({ scheme: "dir", path: copy }, ["n/app:1"]), {
    code: "unsupported",
    message: 'Images of the scheme "dir:" have no tags',
  });
});

test("an image in a layout is on this machine: nothing of it is missing", async () => {
  const [one] = await describe({ scheme: "oci", path: layout }, ["n/app:1"]);
  assert.ok(one !== undefined && !("error" in one));
  assert.deepEqual([one.missingBytes, one.bytes > 100_000], [0, true]);
});

test("a registry that cannot be reached ends the descriptions with its error", async () => {
  await using registry = await startFakeRegistry(() => ({ hangUp: true }));
  const reference = referenceTo(registry.host);
  await assert.rejects(describe(reference, ["v1", "v2"]), { code: "network" });
});

test("an error comes after the descriptions before it, though it happened earlier", async () => {
  await using registry = await startFakeRegistry(async ({ line }) => {
    if (/v2$/.test(line)) return { hangUp: true };
    await sleep(100);
    return { status: 404 };
  });
  const settings = makeSettings({ transferRetries: 0 });
  const list = { reference: referenceTo(registry.host), tags: ["v1", "v2"] };
  const descriptions = describeTags(list, { settings });
  const first = await descriptions.next();
  assert.ok(!first.done && "error" in first.value && first.value.error.code === "not_found");
  await assert.rejects(descriptions.next(), { code: "network" });
});

test("requests of a caller that stops reading are stopped too", async () => {
  const end = Promise.withResolvers<void>();
  await using registry = await startFakeRegistry(async ({ line }) => {
    // If the caller waited for the other answers, it would wait for ever.
    if (!/v1$/.test(line)) await end.promise;
    return { status: 404 };
  });
  const settings = makeSettings({ transferRetries: 0 });
  const tags = ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8"];
  for await (
    const { tag } of describeTags({ reference: referenceTo(registry.host), tags }, { settings })
  ) {
    assert.equal(tag, "v1");
    break;
  }
  end.resolve();
  assert.ok(registry.requests.length <= 5);
});

test("an abort by the caller ends the descriptions", async () => {
  const stop = new AbortController();
  await using registry = await startFakeRegistry(async () => {
    stop.abort();
    await sleep(300);
    return { status: 404 };
  });
  const list = { reference: referenceTo(registry.host), tags: ["v1"] };
  const options = { settings: makeSettings({ transferRetries: 0 }), signal: stop.signal };
  await assert.rejects(describeTags(list, options).next(), { code: "aborted" });
});

test("a mirror that has only digests is not asked for tags, though the reference has a digest", async () => {
  await using mirror = await serve({});
  await using registry = await serve({
    "/v2/team/app/manifests/v1": {
      headers: { "Content-Type": image.manifest.mediaType },
      body: image.manifest.bytes,
    },
    [`/v2/team/app/blobs/${image.config.digest}`]: { body: image.config.bytes },
  });
  const reference: Reference = {
    ...referenceTo(registry.host),
    digest: image.manifest.digest as Digest,
  };
  const onlyDigests = { host: mirror.host, more: 'pull-from-mirror = "digest-only"' };
  const environment = registriesConf(scratch, withMirrors(registry.host, [onlyDigests]));
  assert.deepEqual(digests(await describe(reference, ["v1"], environment)), [
    image.manifest.digest,
  ]);
  assert.deepEqual(asked(mirror), []);
});

function referenceTo(registry: string): DockerReference {
  return { scheme: "docker", registry, repository: "team/app" };
}
