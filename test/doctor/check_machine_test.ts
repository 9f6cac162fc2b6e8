/** Findings about the machine itself. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkMachine } from "../../lib/doctor/check_machine.ts";
import { thisMachine } from "../../lib/doctor/machine.ts";
import { type FakeMachine, fakeMachine, troubles } from "./machine_fixture.ts";

const MEMINFO = "MemTotal:  99 kB\nMemAvailable:    8000000 kB\n";
const HEALTHY = { "/proc/meminfo": MEMINFO };

const TABLE: readonly (readonly [title: string, machine: FakeMachine, found: readonly string[]])[] =
  [
    ["a healthy machine", { files: HEALTHY }, []],
    ["another processor", { files: HEALTHY, architecture: "ppc64le" }, [
      "error Processor: ppc64le, 4 processors available",
    ]],
    ["an old glibc", { files: HEALTHY, libc: "glibc 2.12" }, ["error C library: glibc 2.12"]],
    ["the oldest glibc", { files: HEALTHY, libc: "glibc 2.17" }, []],
    ["a future glibc", { files: HEALTHY, libc: "glibc 3.0" }, []],
    ["another C library", { files: HEALTHY, libc: undefined }, [
      "error C library: this system does not use glibc",
    ]],
    ["a glibc that cannot be called", {
      files: { ...HEALTHY, "/proc/self/maps": "7f00 r-xp 0 08:01 1 /lib/libc.so.6" },
      libc: undefined,
    }, ["error C library: denroot cannot call it: it gets no memory for that"]],
    ["a clock that was never set", { files: HEALTHY, nowMs: () => 0 }, [
      "warning Clock: it says 1970-01-01 00:00 UTC, which is before denroot's release",
    ]],
    ["a small machine", { files: { "/proc/meminfo": "MemAvailable: 300000 kB" } }, [
      "warning Memory: 307 MB are free on this machine",
    ]],
    ["no /proc", {}, ["note Memory: this system does not say how much is free"]],
    ["a control group's limit", {
      files: {
        ...HEALTHY,
        "/proc/self/cgroup": "0::/job",
        "/sys/fs/cgroup/job/memory.max": "250000000",
      },
    }, ["warning Memory: 250 MB are left of the control group's limit"]],
  ];

for (const [title, machine, found] of TABLE) {
  test(`${title}: ${found[0] ?? "no trouble"}`, () => {
    assert.deepEqual(troubles(checkMachine(fakeMachine(machine), undefined)), found);
  });
}

test("this machine's own facts are read", async () => {
  const machine = await thisMachine();
  assert.match(machine.libc ?? "", /^glibc 2\.\d+$/);
  assert.match(machine.architecture, /^(amd64|arm64)$/);
  assert.match(machine.read("/proc/meminfo") ?? "", /MemAvailable/);
  assert.equal(machine.read("/nonexistent"), undefined);
  assert.ok(machine.space("/").freeBytes > 0);
  assert.ok(machine.space("/proc").type === 0x9fa0);
  assert.ok(machine.findProgram("sh", {})?.endsWith("/sh"));
});
