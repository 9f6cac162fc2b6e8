/** Tests that an import refuses an impossible output before it looks for the image. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
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
    /taken exists and is not a regular file$/,
  ],
  [
    "in a directory that does not exist",
    () => join(scratch, "none/x.sqsh"),
    /^The directory .*none for the output does not exist/,
  ],
  [
    "in a file",
    () => {
      writeFileSync(join(scratch, "file"), "");
      return join(scratch, "file/x.sqsh");
    },
    /^The output cannot be in .*file: that is no directory$/,
  ],
  [
    "a name that is too long",
    () => join(scratch, `${"x".repeat(300)}.sqsh`),
    /\.sqsh cannot be made: ENAMETOOLONG/,
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
