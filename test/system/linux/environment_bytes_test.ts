import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  environmentOf,
  valueOf,
  withVariables,
} from "../../../lib/system/linux/environment_bytes.ts";

function read(content: string): Uint8Array[] {
  const directory = mkdtempSync(join(tmpdir(), "denroot-test-"));
  try {
    writeFileSync(join(directory, "environ"), content, "latin1");
    return environmentOf(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function texts(environment: readonly Uint8Array[]): string[] {
  return environment.map((variable) => Buffer.from(variable).toString("latin1"));
}

const CONTENTS: readonly (readonly [content: string, variables: readonly string[]])[] = [
  ["", []],
  ["A=1\0B=\0", ["A=1", "B="]],
  ["A=1\0B=2", ["A=1", "B=2"]],
  ["A=1\0\0\0B=2\0\0", ["A=1", "B=2"]],
  ["A=\xff\xfe\0", ["A=\xff\xfe"]],
];

for (const [content, variables] of CONTENTS) {
  test(`the environment ${JSON.stringify(content)} has ${variables.length} variables`, () => {
    assert.deepEqual(texts(read(content)), variables);
  });
}

test("a new variable takes the place of all of its name, and of no other", () => {
  const environment = read("A=1\0AB=2\0A=\xff\0B\0");
  assert.deepEqual(texts(withVariables(environment, ["A=x=y", "C="])), [
    "AB=2",
    "B",
    "A=x=y",
    "C=",
  ]);
});

test("the first variable of a name gives the value, which may have an equals sign", () => {
  const environment = read("PATHS=no\0PATH=/a=b\0PATH=/c\0");
  assert.equal(valueOf(environment, "PATH"), "/a=b");
  assert.equal(valueOf(environment, "HOME"), undefined);
});
