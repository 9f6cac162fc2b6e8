/** What keeps a file from getting its name is seen before it is made, and nothing is changed by looking. */

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { replacementFault } from "../../../lib/system/files/replacement.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("replacement");

test("nothing is said against a new file, and against a file of one's own", async () => {
  const [file, directory] = [join(scratch, "file-\u00e9"), join(scratch, "directory")];
  writeFileSync(file, "content");
  mkdirSync(directory, { mode: 0o755 });
  assert.equal(await replacementFault(file), undefined);
  assert.equal(await replacementFault(join(directory, "new")), undefined);
  assert.equal(await replacementFault(join(scratch, "none/new")), undefined);
  chmodSync(scratch, 0o1777);
  assert.equal(await replacementFault(file), undefined, "the directory is sticky");
  assert.equal(await replacementFault(directory), undefined);
  assert.equal(readFileSync(file, "utf8"), "content");
  assert.deepEqual(readdirSync(directory), []);
});
