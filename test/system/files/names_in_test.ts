import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { namesIn } from "../../../lib/system/files/names_in.ts";

test("an absent directory has no names; what cannot be listed is an error unless it counts as absent", () => {
  const directory = mkdtempSync(join(tmpdir(), "denroot-names-"));
  try {
    const file = join(directory, "file");
    writeFileSync(file, "");
    assert.deepEqual(namesIn(directory), ["file"]);
    assert.deepEqual(namesIn(join(directory, "absent")), []);
    assert.throws(() => namesIn(file), { code: "ENOTDIR" });
    assert.deepEqual(namesIn(file, ["ENOTDIR"]), []);
    assert.throws(() => namesIn(join(directory, "absent"), ["ENOTDIR"]), { code: "ENOENT" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
