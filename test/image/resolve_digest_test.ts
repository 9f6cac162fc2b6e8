/** Tests the digest that programs are given for a reference. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { resolveDigest } from "../../lib/image/resolve_digest.ts";
import { writeImage } from "../helpers/image_fixture.ts";
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
