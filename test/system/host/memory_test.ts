/** How much memory a process can take, by the files of the kernel. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { availableMemory } from "../../../lib/system/host/memory.ts";
import { systemFiles } from "../../../lib/system/host/system_files.ts";

const MEMINFO = { "/proc/meminfo": "MemTotal:  99 kB\nMemAvailable:    8000000 kB\n" };
const GROUP2 = { "/proc/self/cgroup": "0::/system.slice/slurm/job_1\n" };
const GROUP1 = { "/proc/self/cgroup": "5:cpu:/\n4:memory:/job\n" };

const TABLE: readonly (readonly [
  title: string,
  files: Readonly<Record<string, string>>,
  bytes: number,
  limitedBy: "machine" | "control group",
])[] = [
  ["the machine", MEMINFO, 8_192_000_000, "machine"],
  [
    "a group above the process's own",
    {
      ...MEMINFO,
      ...GROUP2,
      "/sys/fs/cgroup/system.slice/slurm/job_1/memory.max": "max",
      "/sys/fs/cgroup/system.slice/slurm/memory.max": "400000000",
      "/sys/fs/cgroup/system.slice/slurm/memory.current": "150000000",
    },
    250_000_000,
    "control group",
  ],
  [
    "a group of cgroup version 1",
    {
      ...MEMINFO,
      ...GROUP1,
      "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "200000000",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
    },
    200_000_000,
    "control group",
  ],
  [
    "the machine, where the group's limit is higher",
    {
      ...MEMINFO,
      ...GROUP2,
      "/sys/fs/cgroup/memory.max": "9000000000",
    },
    8_192_000_000,
    "machine",
  ],
  [
    "a group that uses more than its limit",
    {
      ...GROUP2,
      "/sys/fs/cgroup/memory.max": "1000",
      "/sys/fs/cgroup/memory.current": "2000",
    },
    0,
    "control group",
  ],
];

for (const [title, files, bytes, limitedBy] of TABLE) {
  test(`memory is limited by ${title}`, () => {
    assert.deepEqual(availableMemory(filesOf(files)), { bytes, limitedBy });
  });
}

test("memory is unknown without /proc, and where no group has a limit", () => {
  assert.equal(availableMemory(filesOf({})), undefined);
  const none = { "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712" };
  assert.equal(availableMemory(filesOf({ ...GROUP1, ...none })), undefined);
});

test("this machine has some memory", () => {
  assert.ok(availableMemory(systemFiles)!.bytes > 0);
  assert.equal(systemFiles.read("/nonexistent"), undefined);
});

function filesOf(files: Readonly<Record<string, string>>) {
  return { read: (path: string) => files[path], exists: (path: string) => path in files };
}
