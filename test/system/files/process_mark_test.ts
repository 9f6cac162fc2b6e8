/** Marks of processes: stale only when their process has certainly ended. */

import assert from "node:assert/strict";
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { isMarkStale, processMark, removeStale } from "../../../lib/system/files/process_mark.ts";
import { startProgram, stopProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

test("this process's mark is not stale, and never the same twice", () => {
  const marks = Array.from({ length: 50 }, () => processMark());
  assert.equal(new Set(marks).size, 50);
  for (const mark of marks) {
    assert.match(mark, /^[\w-]+\.\d+\.\d+\.[0-9a-f]{8}$/);
    assert.equal(isMarkStale(mark), false);
  }
});

test("another living process's mark is not stale until it ends", async () => {
  const program = startProgram("sleep", ["20"]);
  const stat = readFileSync(`/proc/${program.pid}/stat`, "utf8");
  const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  const mark = `${processMark().split(".")[0]}.${program.pid}.${start}.0123abcd`;
  assert.equal(isMarkStale(mark), false);
  await stopProgram(program);
  assert.equal(isMarkStale(mark), true);
});

const [host, pid, start] = processMark().split(".") as [string, string, string];
const marks: readonly [title: string, mark: string, stale: boolean][] = [
  ["a process id that another process has now", `${host}.${pid}.1.0123abcd`, true],
  ["a process that is not there", `${host}.4194304.${start}.0123abcd`, true],
  ["another host", `x${host}.4194304.${start}.0123abcd`, false],
  ["nothing", "", false],
  ["something else", "README", false],
  ["a mark with more behind", `${host}.4194304.1.0123abcd.tmp`, false],
  ["a mark with a newline behind", `${host}.4194304.1.0123abcd\n`, false],
  ["a mark without its random part", `${host}.4194304.1`, false],
];
for (const [title, mark, stale] of marks) {
  test(`the mark of ${title} is ${stale ? "stale" : "not stale"}`, () => {
    assert.equal(isMarkStale(mark), stale);
  });
}

const dead = (name: string) => `${name}@${host}.4194304.1.0123abcd`;
const markOf = (name: string) => name.split("@")[1];

test("leftovers are removed with what is in them, and nothing else is", () => {
  const directory = scratchDirectory("leftovers");
  mkdirSync(join(directory, dead("directory"), "in"), { recursive: true });
  writeFileSync(join(directory, dead("file")), "");
  const kept = ["file", `file@${processMark()}`];
  for (const name of kept) writeFileSync(join(directory, name), "");
  removeStale(directory, markOf);
  assert.deepEqual(readdirSync(directory).sort(), kept);
  const missing = join(directory, "missing");
  assert.throws(() => removeStale(missing, markOf), { code: "file", message: /missing cannot be/ });
});

test("another user's directory stays, and what comes behind it is removed", (context) => {
  if (process.getuid!() !== 0) return context.skip("needs root");
  const directory = scratchDirectory("leftovers");
  const stuck = dead("1");
  mkdirSync(join(directory, stuck));
  writeFileSync(join(directory, dead("2")), "");
  chownSync(join(directory, stuck), 54321, 54321);
  removeStale(directory, markOf);
  assert.deepEqual(readdirSync(directory), [stuck]);
});
