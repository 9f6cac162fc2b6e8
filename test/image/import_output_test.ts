/** What an import refuses before it looks for the image: impossible outputs, spoiling options. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { importImage } from "../../lib/image/import_image.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("output");

const outputs: readonly [what: string, output: () => string, message: RegExp][] = [
  ["a device", () => "/dev/null", /\/dev\/null exists and is not a regular file$/],
  [
    "a directory",
    () => {
      mkdirSync(join(scratch, "taken"));
      return join(scratch, "taken");
    },
    /taken names a directory$/,
  ],
  [
    "in a directory that does not exist",
    () => join(scratch, "none/x.sqsh"),
    /^The directory .*none for the output does not exist/,
  ],
];
for (const [what, output, message] of outputs) {
  test(`an output that is ${what} is refused, even with force`, async () => {
    // The image does not exist either, but the output is checked first.
    await assert.rejects(
      importImage("oci:/nonexistent", { output: output(), force: true }),
      (error: Error) => message.test(error.message),
    );
  });
}

test("an option for mksquashfs that spoils images is refused before the image is looked for", async () => {
  const settings = { ...await loadSettings(), squashOptions: "-comp gzip -offset 4096" };
  const output = join(scratch, "x.sqsh");
  await assert.rejects(importImage("oci:/nonexistent", { output, settings }), {
    code: "settings",
    message: /^ENROOT_SQUASH_OPTIONS: "-offset" cannot be used/,
  });
});
