/** Directories for one test file; they are removed when it ends. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

/** A fresh directory, removed after the file's tests (or the surrounding `describe`'s). */
export function scratchDirectory(name = "test"): string {
  const directory = mkdtempSync(join(tmpdir(), `denroot-${name}-`));
  after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}
