/** Command lines that run a file, and command lines that run a command. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { definitionArguments } from "../../lib/command/definition.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("definition");
const file = join(scratch, "file");
writeFileSync(file, "");
mkdirSync(join(scratch, "import"));

const TABLE: ReadonlyArray<[args: readonly string[], words: readonly string[] | undefined]> = [
  [[], undefined],
  [["--debug"], undefined],
  [["import", file], undefined],
  [["frob"], undefined],
  [["--frob", file], undefined],
  [["--version", file], undefined],
  [["docker://alpine/x"], undefined],
  [[file], [file]],
  [[file, "--help"], [file, "--help"]],
  [["./missing"], ["./missing"]],
  [["--debug", file, "--json", "x"], [file, "--debug", "--json", "x"]],
  [["-f", "--verify", "--json", "--force", file], [file, "-f", "--verify", "--json", "--force"]],
];

for (const [args, words] of TABLE) {
  test(`"${args.join(" ")}" ${words === undefined ? "runs no file" : "runs a file"}`, () => {
    assert.deepEqual(definitionArguments(args, (word) => word === "import"), words);
  });
}

test("a file in the current directory runs by its name, unless that is the name of a command", () => {
  const before = process.cwd();
  process.chdir(scratch);
  try {
    const isCommand = (word: string) => word === "file";
    assert.equal(definitionArguments(["file"], isCommand), undefined);
    assert.deepEqual(definitionArguments(["./file"], isCommand), ["./file"]);
    assert.deepEqual(definitionArguments(["file"], () => false), ["file"]);
    assert.equal(definitionArguments(["import"], () => false), undefined);
  } finally {
    process.chdir(before);
  }
});
