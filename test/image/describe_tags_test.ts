/** Tests that a place is opened only once to describe all of its tags. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { describeTags, type TagDescription } from "../../lib/image/describe_tags.ts";
import type { Reference } from "../../lib/types/reference.ts";
import { layoutMembers, newDockerArchive } from "../helpers/archive_fixture.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { startRegistry } from "../helpers/registry_server.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";
import { writeArchive } from "../transport/archive/archive_tests.ts";
import {
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

test("an image for another platform than the one that was asked for is described", async () => {
  const reference: Reference = { scheme: "oci", path: layout };
  const settings = makeSettings({ cachePath: join(scratch, "cache") });
  const options = { settings, architecture: "s390x" };
  for await (const one of describeTags({ reference, tags: [TAGS[0]!] }, options)) {
    assert.ok(!("error" in one), JSON.stringify(one));
    assert.equal(one.otherPlatform?.architecture, image.platform.architecture);
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
