/** When streaming does not give up, its result must be that of the plan. */

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { EntryType } from "../../lib/tar/entry.ts";
import { dir, type Draft, file, link, plan, stream, whiteout } from "./run_merge.ts";

const name = fc.constantFrom("a", "b", "c");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const draft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.constantFrom(
    "file",
    "file",
    "directory",
    "directory",
    "symlink",
    "hardlink",
    "fifo",
    "whiteout",
    "opaque",
  ),
  path,
  target: path,
  mode: fc.constantFrom(0o700, 0o755),
}).map(({ kind, path, target, mode }) => {
  const slash = path.lastIndexOf("/");
  const directory = path.slice(0, slash + 1);
  switch (kind) {
    case "whiteout":
      return { type: "file", path: `${directory}.wh.${path.slice(slash + 1)}`, linkPath: "", mode };
    case "opaque":
      return { type: "file", path: `${path}/.wh..wh..opq`, linkPath: "", mode };
    default:
      return {
        type: kind as EntryType,
        path,
        linkPath: kind === "symlink" || kind === "hardlink" ? target : "",
        mode,
      };
  }
});
const stack: fc.Arbitrary<Draft[][]> = fc.array(fc.array(draft, { maxLength: 8 }), {
  minLength: 1,
  maxLength: 4,
});

test("streaming has the same result as the plan, or gives up", () => {
  let streamed = 0;
  fc.assert(
    fc.property(stack, (layers) => {
      const result = stream(layers);
      if (result === undefined) return;
      streamed++;
      assert.deepEqual(result, plan(layers));
    }),
    { numRuns: 20_000 },
  );
  assert.ok(streamed > 3000, `only ${streamed} stacks were streamed`);
});

test("ordinary layers are streamed: they describe parents, and links stay in their layer", () => {
  const layers = [
    [dir("a"), file("a/x"), link("a/y", "a/x"), dir("b"), file("b/z")],
    [dir("a"), whiteout("a/x"), dir("b"), file("b/z")],
  ];
  assert.deepEqual(stream(layers), plan(layers));
});
