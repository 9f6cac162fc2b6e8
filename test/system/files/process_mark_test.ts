/** Marks of processes: a mark is stale only when its process has certainly ended. */

import assert from "node:assert/strict";
import {
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { isMarkStale, processMark, removeStale } from "../../../lib/system/files/process_mark.ts";
import { startProgram, stopProgram, waitUntil } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

test("a mark of this process is not stale, and no two marks are the same", () => {
  const marks = Array.from({ length: 50 }, () => processMark());
  assert.equal(new Set(marks).size, 50);
  for (const mark of marks) {
    assert.match(mark, /^[\w-]+\.\d+\.\d+\.[0-9a-f]{8}$/);
    assert.equal(isMarkStale(mark), false);
  }
});

test("another living process's mark is not stale until it ends", async () => {
  const program = startProgram("sleep", ["20"]);
  const mark = markFor(program.pid);
  assert.equal(isMarkStale(mark), false);
  await stopProgram(program);
  assert.equal(isMarkStale(mark), true);
});

test("a process whose name has a parenthesis and a space in it is not stale", async () => {
  const link = join(scratchDirectory("named"), "a) b (c");
  symlinkSync("/bin/sleep", link);
  const program = startProgram(link, ["20"]);
  await waitUntil("it runs", () => statOf(program.pid).startsWith(`${program.pid} (a) b (c)`));
  assert.equal(isMarkStale(markFor(program.pid)), false);
  await stopProgram(program);
});

test("a process that has ended is stale, though its parent has not noticed it", async () => {
  const parent = startProgram("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 20"]);
  await waitUntil("it says the id", () => parent.stdout().endsWith("\n"));
  const ended = Number(parent.stdout());
  await waitUntil("it has ended", () => / Z /.test(statOf(ended)));
  assert.equal(isMarkStale(markFor(ended)), true);
  await stopProgram(parent);
});

const [host, pid, start] = processMark().split(".") as [string, string, string];
const marks: readonly [title: string, mark: string, stale: boolean][] = [
  ["the mark of a process id that another process has now", `${host}.${pid}.1.0123abcd`, true],
  ["the mark of a process that does not exist", `${host}.4194304.${start}.0123abcd`, true],
  ["the mark of another host", `x${host}.4194304.${start}.0123abcd`, false],
  ["an empty mark", "", false],
  ["a text that is not a mark", "README", false],
  ["a mark with more text behind it", `${host}.4194304.1.0123abcd.tmp`, false],
  ["a mark with a newline behind it", `${host}.4194304.1.0123abcd\n`, false],
  ["a mark without its random part", `${host}.4194304.1`, false],
];
for (const [title, mark, stale] of marks) {
  test(`${title} is ${stale ? "stale" : "not stale"}`, () => {
    assert.equal(isMarkStale(mark), stale);
  });
}

function statOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, "utf8");
}

/** A mark that names another process. */
function markFor(pid: number): string {
  const stat = statOf(pid);
  const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return `${processMark().split(".")[0]}.${pid}.${start}.0123abcd`;
}

const dead = (name: string) => `${name}@${host}.4194304.1.0123abcd`;
const markOf = (name: string) => name.split("@")[1];

test("leftovers are removed with all that they contain, and other files stay", () => {
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

test("another user's directory stays, and the leftovers after it are removed", (context) => {
  if (process.getuid!() !== 0) return context.skip("needs root");
  const directory = scratchDirectory("leftovers");
  const stuck = dead("1");
  mkdirSync(join(directory, stuck));
  writeFileSync(join(directory, dead("2")), "");
  chownSync(join(directory, stuck), 54321, 54321);
  removeStale(directory, markOf);
  assert.deepEqual(readdirSync(directory), [stuck]);
});
