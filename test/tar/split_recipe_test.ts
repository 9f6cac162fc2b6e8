/** Recipes of tar streams: every line is a step, chunks may end anywhere, damage is an error. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { readRecipe, type RecipeStep } from "../../lib/tar/split_recipe.ts";

const recipe = [
  { type: 2, payload: Buffer.from("header").toString("base64"), position: 0 },
  { type: 1, name: "etc/ä", size: 5, payload: "AAAAAAAAAAA=", position: 1 },
  { type: 1, name: "a-link", payload: null, position: 2 },
  { type: 1, name_raw: Buffer.from("caf\xe9", "latin1").toString("base64"), size: 1, position: 3 },
].map((line) => `${JSON.stringify(line)}\n`).join("");

test("steps come in order in chunks of any size, without files that have no content", async () => {
  for (const size of [1, 7, 100, 10_000]) {
    const steps = await readAll(recipe, size);
    assert.deepEqual(steps, [
      "header",
      { type: "file", name: Buffer.from("etc/ä").toString("latin1"), size: 5 },
      { type: "file", name: "caf\xe9", size: 1 },
    ]);
  }
});

test("the last line needs no line break", async () => {
  assert.equal((await readAll(recipe.trimEnd(), 50)).length, 3);
  assert.deepEqual(await readAll("", 50), []);
});

test("a damaged recipe is refused", async () => {
  for (
    const line of [
      "{",
      "null",
      "7",
      '{"type":3}',
      '{"type":2}',
      '{"type":1,"size":1}',
      '{"type":1,"name":"a","size":-1}',
      '{"type":1,"name":"a","size":1e300}',
      '{"type":1,"name":"a","size":"1"}',
    ]
  ) {
    await assert.rejects(
      readAll(`${line}\n`, 50),
      (error) => error instanceof DenrootError && error.code === "layer",
      line,
    );
  }
});

async function readAll(text: string, size: number): Promise<unknown[]> {
  const steps: unknown[] = [];
  for await (const step of readRecipe(chunks(Buffer.from(text), size))) steps.push(shown(step));
  return steps;
}

function shown(step: RecipeStep): unknown {
  return step.type === "segment" ? Buffer.from(step.bytes).toString() : step;
}

/** Yields all pieces in the same memory, as a decompressor does. */
async function* chunks(bytes: Buffer, size: number): AsyncIterable<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const part = await Promise.resolve(bytes.subarray(at, at + size));
    buffer.set(part);
    yield buffer.subarray(0, part.length);
  }
}
