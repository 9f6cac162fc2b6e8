/** Tests how much of a recipe is in memory at once. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { assembleLayer } from "../../../lib/transport/ostree/assemble_layer.ts";

test("long segments of a recipe are not in memory together", async () => {
  const segment = { type: 2, payload: Buffer.alloc(1024 * 1024).toString("base64") };
  const lines = ["a", "b", "c"].flatMap((name) => [segment, { type: 1, name, size: 1 }]);
  const recipe = gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const asked: string[] = [];
  const repository = {
    async *cat(_ref: string, paths: readonly string[]) {
      asked.push(paths.join());
      yield await Promise.resolve(Buffer.from("x".repeat(paths.length)));
    },
  };
  let size = 0;
  const { signal } = new AbortController();
  for await (const { length } of assembleLayer(repository, "ref", recipe, signal)) size += length;
  assert.equal(size, 3 * 1024 * 1024 + 3);
  assert.deepEqual(asked, ["/a", "/b", "/c"]);
});
