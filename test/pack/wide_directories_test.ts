/** Only a directory that is wide by itself is told of, and only the first. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { watchWidths, WIDE_ENTRIES } from "../../lib/pack/wide_directories.ts";

test("the first wide directory is told of once, at the entry that makes it wide", () => {
  const told: string[] = [];
  const take = watchWidths((directory) => told.push(directory));
  for (let at = 1; at < WIDE_ENTRIES; at++) {
    take(`a/${at}`);
    take(`a/b/${at}`);
    take(`${at}`);
  }
  assert.deepEqual(told, []);
  take("a/b/last");
  assert.deepEqual(told, ["a/b"]);
  take("a/last");
  assert.deepEqual(told, ["a/b"]);
});
