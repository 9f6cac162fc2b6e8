/** Marks of processes: a process is called dead only when that is proven. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import {
  type Life,
  lifeOf,
  parseMark,
  processMark,
} from "../../../lib/system/files/process_mark.ts";
import { startProgram, stopProgram, waitUntil } from "../../helpers/run_program.ts";

test("a mark of this process is alive, and no two marks are the same", () => {
  const marks = Array.from({ length: 50 }, () => processMark());
  assert.equal(new Set(marks).size, 50);
  for (const mark of marks) {
    assert.match(mark, /^[\w-]+\.\d+\.\d+\.[0-9a-f]{8}\.[0-9a-f]{8}$/);
    assert.equal(lifeOf(mark), "alive");
  }
});

test("another process is alive until it ends", async () => {
  const program = startProgram("sleep", ["20"]);
  const stat = readFileSync(`/proc/${program.pid}/stat`, "utf8");
  const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  const mark = `${host}.${program.pid}.${start}.${space}.0123abcd`;
  assert.equal(lifeOf(mark), "alive");
  await stopProgram(program);
  assert.equal(lifeOf(mark), "dead");
});

test("a process that ended is dead before its parent asks for it", async () => {
  const parent = startProgram("sh", ["-c", "true & exec sleep 20"]);
  const children = () => readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, "utf8");
  const state = () => readFileSync(`/proc/${children().trim()}/stat`, "utf8").split(" ");
  await waitUntil("its child has ended", () => children() !== "" && state()[2] === "Z");
  const mark = `${host}.${children().trim()}.${state()[21]}.${space}.0123abcd`;
  assert.equal(lifeOf(mark), "dead");
  await stopProgram(parent);
});

const [host, pid, start, space] = processMark().split(".") as [string, string, string, string];
const marks: readonly [title: string, mark: string, life: Life][] = [
  ["a process id that another process has now", `${host}.${pid}.1.${space}.0123abcd`, "dead"],
  ["a process that does not exist", `${host}.4194304.${start}.${space}.0123abcd`, "dead"],
  ["a process of another host", `x${host}.4194304.${start}.${space}.0123abcd`, "unknown"],
  ["a process of another PID namespace", `${host}.4194304.1.00000000.0123abcd`, "unknown"],
  ["a process that could not tell its PID namespace", `${host}.4194304.1.0.0123abcd`, "unknown"],
  ["a process of version 0.1.0", `${host}.4194304.1.0123abcd`, "unknown"],
];
for (const [title, mark, life] of marks) {
  test(`${title} is ${life}`, () => {
    assert.equal(lifeOf(mark), life);
    assert.equal(parseMark(mark)?.start, mark.split(".")[2]);
  });
}

const others = ["", "README", `${processMark()}.tmp`, `${processMark()}\n`, `${host}.4194304.1`];
for (const text of others) {
  test(`${JSON.stringify(text)} is not a mark`, () => {
    assert.equal(parseMark(text), undefined);
    assert.equal(lifeOf(text), "unknown");
  });
}
