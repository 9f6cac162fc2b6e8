/** What an import refuses to write to, before it fetches anything. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { importImage } from "../../lib/image/import_image.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("output");

const outputs: readonly [what: string, output: () => string, message: RegExp][] = [
  ["a device", () => "/dev/null", /\/dev\/null is there, and is no regular file$/],
  [
    "a directory",
    () => {
      mkdirSync(join(scratch, "taken"));
      return join(scratch, "taken");
    },
    /taken names a directory$/,
  ],
  ["in no directory", () => join(scratch, "none/x.sqsh"), /^There is no directory .*none/],
];
for (const [what, output, message] of outputs) {
  test(`an output that is ${what} is refused, with force too`, async () => {
    // Nothing lies there: who looked for the image first would say so.
    await assert.rejects(
      importImage("oci:/nonexistent", { output: output(), force: true }),
      (error: Error) => message.test(error.message),
    );
  });
}
