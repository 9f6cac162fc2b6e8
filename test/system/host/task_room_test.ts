/** How many more threads a user may start, with limits of the user and of the control group. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { checkProcesses } from "../../../lib/image/check_processes.ts";
import { ownTasks, taskRoom } from "../../../lib/system/host/task_room.ts";
import type { SystemFiles } from "../../../lib/system/host/system_files.ts";

function machine(limit: string, pidsMax = "max", pidsCurrent = "10"): SystemFiles {
  const files: Record<string, string> = {
    "/proc/self/limits": `Max processes             ${limit}        100000      processes`,
    "/proc/self/cgroup": "0::/job",
    "/sys/fs/cgroup/job/pids.max": pidsMax,
    "/sys/fs/cgroup/job/pids.current": pidsCurrent,
  };
  return { read: (path) => files[path], exists: (path) => path in files };
}

/** [the files, the user's id, how many tasks the user has, what is left, the text] */
const ROOMS: ReadonlyArray<readonly [SystemFiles, number, number, number | undefined, RegExp]> = [
  [machine("unlimited"), 1000, 5, undefined, /./],
  [machine("40"), 1000, 25, 15, /: 40 \(ulimit -u 40\), and 25 of them are in use$/],
  [machine("40"), 1000, 60, 0, /: 40 /],
  [machine("40"), 0, 25, undefined, /./],
  [machine("unlimited", "64", "60"), 0, 5, 4, /: 64 \(pids\.max\), and 60 of them are in use$/],
  [machine("40", "64", "60"), 1000, 25, 4, /pids\.max/],
  [machine("40", "640", "60"), 1000, 25, 15, /ulimit/],
  [{ read: () => undefined, exists: () => false }, 1000, 5, undefined, /./],
];

for (const [files, uid, tasks, left, text] of ROOMS) {
  test(`${left} are left to user ${uid} with ${tasks} tasks under ${files.read("/proc/self/limits")}`, () => {
    const room = taskRoom(files, uid, () => tasks);
    assert.equal(room?.left, left);
    if (room !== undefined) assert.match(room.text, text);
  });
}

test("a high limit is not counted against", () => {
  const files = machine("4096");
  assert.equal(taskRoom(files, 1000, () => assert.fail("It counts")), undefined);
});

test("the processes of the user are counted with their threads", async () => {
  const uid = process.getuid!() || 4242;
  const isRoot = process.getuid!() === 0;
  const room = () => taskRoom(machine("1000"), uid)!.left;
  const before = room();
  const child = spawn("sleep", ["60"], isRoot ? { uid, gid: uid } : {});
  await once(child, "spawn");
  assert.ok(room() < before);
  child.kill();
  await once(child, "exit");
  assert.ok(ownTasks() > 1);
});

test("an import refuses to begin without room for its threads", () => {
  const room = { left: 10, text: "tasks: 20" };
  assert.throws(() => checkProcesses(room, 9), {
    code: "limit",
    message: /^There are too few tasks: 20$/,
  });
  checkProcesses(room, 10);
  checkProcesses(undefined, 0);
});
