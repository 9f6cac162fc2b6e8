/** An import that reads its image back notices what mksquashfs made of it. */

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { importImage } from "../../lib/image/import_image.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { findProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { directory, file } from "../helpers/tar_fixture.ts";

const scratch = scratchDirectory("verified-import");
const image = writeImage(join(scratch, "layout"), {
  layers: [[directory("data"), file("data/spoilt", "as it was packed"), file("data/whole", "x")]],
});

/** Imports with a mksquashfs that changes one byte of one file. */
async function importSpoilt(work: string, verify: boolean): Promise<void> {
  const mksquashfs = join(scratch, "mksquashfs");
  const real = findProgram("mksquashfs") ?? "/usr/bin/mksquashfs";
  writeFileSync(
    mksquashfs,
    `#!/bin/sh
[ "$1" = -version ] && exec ${real} -version
LC_ALL=C sed 's/as it was packed/as it is damaged/' | ${real} "$@"
`,
  );
  chmodSync(mksquashfs, 0o755);
  const settings = await loadSettings({
    PATH: process.env.PATH,
    HOME: scratch,
    ENROOT_CACHE_PATH: join(scratch, "cache"),
    ENROOT_SYSCONF_PATH: join(scratch, "sysconf"),
    DENROOT_MKSQUASHFS: mksquashfs,
    DENROOT_UNSQUASHFS: process.env.DENROOT_UNSQUASHFS,
  });
  const uri = `oci:${image.directory}:${image.tag}`;
  await importImage(uri, { output: join(work, "image.sqsh"), settings, verify });
}

test("with verify, an image with a changed file is refused by its path and not kept", async () => {
  const work = emptyDirectory("verified");
  await assert.rejects(importSpoilt(work, true), {
    name: "DenrootError",
    code: "squashfs",
    message: "In the finished image '/data/spoilt' is not what was packed",
  });
  assert.deepEqual(readdirSync(work), []);
});

test("without verify, the same image passes: mksquashfs itself reports nothing", async () => {
  const work = emptyDirectory("unverified");
  await importSpoilt(work, false);
  assert.deepEqual(readdirSync(work), ["image.sqsh"]);
});

function emptyDirectory(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}
