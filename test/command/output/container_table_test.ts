/** The table of `list --fancy`, byte for byte as enroot's `column` prints it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { containerTable } from "../../../lib/command/output/container_table.ts";
import type { ListedContainer } from "../../../mod.ts";

const now = new Date(2026, 10, 26, 12, 30);

function processOf(more: Partial<ListedContainer["processes"][number]> = {}) {
  return {
    pid: 4711,
    name: "sleep",
    state: "S",
    started: new Date(2026, 10, 26, 9, 5),
    seconds: 61,
    mountNamespace: "4026532182",
    userNamespace: "4026532181",
    command: "sleep 60",
    ...more,
  };
}

function container(name: string, ...processes: ListedContainer["processes"]): ListedContainer {
  return { name, path: `/data/${name}`, processes };
}

test("a table of idle and running containers has enroot's columns", () => {
  const table = containerTable([
    container("idle"),
    container("running", processOf(), processOf({ pid: 12, name: "python3", state: "Ssl+" })),
  ], now);
  assert.deepEqual(table.split("\n"), [
    "NAME     PID   COMM     STATE  STARTED  TIME   MNTNS       USERNS      COMMAND",
    "idle                                                                   ",
    "running  4711  sleep    S      09:05    01:01  4026532182  4026532181  sleep 60",
    "         12    python3  Ssl+   09:05    01:01  4026532182  4026532181  sleep 60",
  ]);
});

test("without containers there is the head alone", () => {
  assert.equal(
    containerTable([], now),
    "NAME  PID  COMM  STATE  STARTED  TIME  MNTNS  USERNS  COMMAND",
  );
});

const TIMES: readonly (readonly [started: Date, shown: string])[] = [
  [new Date(2026, 10, 26, 0, 0), "00:00"],
  [new Date(2026, 10, 25, 23, 59), "Nov25"],
  [new Date(2026, 0, 2), "Jan02"],
  [new Date(2025, 10, 26, 12, 30), "2025"],
];

for (const [started, shown] of TIMES) {
  test(`a start at ${started.toISOString()} shows as ${shown}`, () => {
    const [, row] = containerTable([container("a", processOf({ started }))], now).split("\n");
    assert.equal(row!.split(/ {2,}/)[4], shown);
  });
}

const DURATIONS: readonly (readonly [seconds: number, shown: string])[] = [
  [0, "00:00"],
  [3599, "59:59"],
  [3600, "01:00:00"],
  [86_400, "1-00:00:00"],
  [90_061 + 86_400 * 99, "100-01:01:01"],
];

for (const [seconds, shown] of DURATIONS) {
  test(`${seconds} seconds show as ${shown}`, () => {
    const [, row] = containerTable([container("a", processOf({ seconds }))], now).split("\n");
    assert.equal(row!.split(/ {2,}/)[5], shown);
  });
}

test("no name and no command adds a line to the table", () => {
  const table = containerTable([container("a\nb", processOf({ command: "x\x1b[2J\ny" }))], now);
  assert.equal(table.split("\n").length, 2);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(table, /\x1b/);
});
