/** Tests the digest that programs are given for a reference. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { hasCode } from "../../lib/errors.ts";
import { inspectImage } from "../../lib/image/inspect_image.ts";
import { resolveDigest } from "../../lib/image/resolve_digest.ts";
import { writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";

test("a digest comes with the canonical reference of the place where it was found", async () => {
  const layout = scratchDirectory("resolve");
  const { manifest } = writeImage(layout, { layers: [[file("name", "one")]], tag: "one" });
  const settings = await loadSettings({ HOME: layout, ENROOT_SYSCONF_PATH: "/nonexistent" });
  assert.deepEqual(await resolveDigest(layout, { settings }), {
    uri: `oci:${layout}`,
    digest: manifest.digest,
  });
});

/** [the image's os and architecture, the one that is asked for, whether that is the image's] */
const ASKED: readonly (readonly [os: string, own: string, asked: string, fits: boolean])[] = [
  ["linux", "arm64", "aarch64", true],
  ["Linux", "AArch64", "arm64", true],
  ["linux", "x86_64", "amd64", true],
  ["linux", "arm64", "amd64", false],
  ["linux", "amd64", "arm64/v8", false],
  ["windows", "amd64", "amd64", false],
];

for (const [os, architecture, asked, fits] of ASKED) {
  const verb = fits ? "is" : "is not";
  test(`an image for ${os}/${architecture} ${verb} what --arch ${asked} asks for`, async () => {
    const layout = scratchDirectory("asked");
    const platform = { os, architecture };
    const image = writeImage(layout, { layers: [[file("name", "one")]], platform, tag: "one" });
    const settings = await loadSettings({ HOME: layout, ENROOT_SYSCONF_PATH: "/nonexistent" });
    const options = { settings, architecture: asked };
    for (const find of [resolveDigest, inspectImage]) {
      const found = find(`oci:${layout}:one`, options);
      if (fits) assert.equal((await found).digest, image.manifest.digest);
      else await assert.rejects(found, (error) => hasCode(error, "platform"));
    }
    // Without --arch the image is taken, whatever it is for.
    assert.equal((await resolveDigest(layout, { settings })).digest, image.manifest.digest);
  });
}

test("where an index names the platform, the configuration only leads to a warning", async () => {
  const layout = join(scratchDirectory("asked"), "index");
  const platform = { os: "linux", architecture: "amd64" };
  const image = writeImage(layout, { layers: [[file("n", "1")]], platform, listed: false });
  const entry = { blob: image.manifest, platform: { os: "linux", architecture: "arm64" } };
  writeIndex(layout, [entry]);
  const settings = await loadSettings({ HOME: layout, ENROOT_SYSCONF_PATH: "/nonexistent" });
  const log: string[] = [];
  await inspectImage(`oci:${layout}`, {
    settings,
    architecture: "arm64",
    onProgress: (event) => event.type === "log" && log.push(event.message),
  });
  assert.match(log.join(), /The image is for linux\/amd64, not for linux\/arm64/);
});
