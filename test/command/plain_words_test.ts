/** Plain words mean what they mean to the reader of command lines; all others are left to that. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { readPlainWords } from "../../lib/command/plain_words.ts";
import { addExecOptions } from "../../lib/command/run_exec.ts";
import { addStartOptions } from "../../lib/command/start_options.ts";

const PLAIN: readonly (readonly string[])[] = [
  ["box"],
  ["box", "-w", "--", "--pid"],
  ["-r", "-w", "box", "sh", "-c", "x"],
  ["--root", "--rw", "--pid", "--net", "--ipc", "--uts", "--unpack", "--dry-run", "box"],
  ["-e", "A=1", "--env=B=2=3", "--env", "C", "-m", "/a:/b", "--mount=/c", "box", "-e"],
  ["--env-file", "f", "--env-file=g", "--conf", "c", "--rc=r", "--workdir", "/w", "box"],
  ["-c", "a", "-c", "b", "box"],
  ["-e", "--rw", "--env=", "box"],
  ["-w", "-w", "box"],
];

for (const words of PLAIN) {
  test(`start ${words.join(" ")}`, () => {
    const command = addStartOptions(new Command()).passThroughOptions().allowExcessArguments();
    command.exitOverride().parse([...words], { from: "user" });
    const plain = readPlainWords(addStartOptions, words)!;
    assert.deepEqual(plain.options, { ...command.opts() });
    assert.deepEqual(plain.operands, command.args);
  });
}

const OTHERS: readonly (readonly string[])[] = [
  ["--help"],
  ["-h", "box"],
  ["--debug", "box"],
  ["--json", "--dry-run", "box"],
  ["-rw", "box"],
  ["-eA=1", "box"],
  ["--rw=no", "box"],
  ["--no-such", "box"],
  ["--", "box"],
  ["-", "box"],
  ["box", "-e"].slice(1),
];

for (const words of OTHERS) {
  test(`start ${words.join(" ")}, is not plain`, () => {
    assert.equal(readPlainWords(addStartOptions, words), undefined);
  });
}

test("exec has its own options", () => {
  const { options, operands } = readPlainWords(addExecOptions, ["-e", "A", "12", "ls", "-l"])!;
  assert.deepEqual([options, operands], [{ env: ["A"] }, ["12", "ls", "-l"]]);
  assert.equal(readPlainWords(addExecOptions, ["-r", "12", "ls"]), undefined);
});
