/** Directories for one test file; they are removed when it ends. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import "./usual_umask.ts";

/** A fresh directory, removed after the file's tests (or the surrounding `describe`'s). */
export function scratchDirectory(name = "test"): string {
  const directory = mkdtempSync(join(tmpdir(), `denroot-${name}-`));
  after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

/** Gives a function that makes a new directory in `parent` at each call. */
export function newDirectories(parent: string): () => string {
  let count = 0;
  return () => {
    const directory = join(parent, `home-${++count}`);
    mkdirSync(directory);
    return directory;
  };
}
