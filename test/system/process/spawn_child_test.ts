/** Children: what reaches them, what they say, how they end. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import test from "node:test";
import { nativeCalls } from "../../../lib/system/native_calls.ts";
import { type ChildOptions, spawnChild } from "../../../lib/system/process/spawn_child.ts";
import { startChild } from "../../../lib/system/process/start_child.ts";
import { watchedSignal, watchTimers } from "../../helpers/leaks.ts";

const PATH = "/usr/bin:/bin";

test("a child reads what is written to its socket, to the end", async () => {
  const native = await nativeCalls();
  const [ours, theirs] = native.socketPair();
  const child = spawnShell("wc -c >&2", { stdin: theirs });
  native.close(theirs);
  const bytes = Buffer.alloc(1_000_000, "x");
  for (let at = 0; at < bytes.length;) {
    const count = native.write(ours, bytes.subarray(at));
    assert.ok(count > 0);
    at += count;
  }
  native.close(ours);
  const { exitCode, signal, messages } = await child.exited;
  assert.deepEqual([exitCode, signal, messages.trim()], [0, null, "1000000"]);
});

test("a write to a child that is gone fails, and does not kill this process", async () => {
  const native = await nativeCalls();
  const [ours, theirs] = native.socketPair();
  const child = spawnShell("exit 0", { stdin: theirs });
  native.close(theirs);
  await child.exited;
  assert.equal(native.write(ours, Buffer.from("x")), -1);
  native.close(ours);
});

const endings: readonly [script: string, exitCode: number | null, signal: string | null][] = [
  ["exit 0", 0, null],
  ["exit 3", 3, null],
  ["kill -KILL $$", null, "SIGKILL"],
  ["kill -TERM $$", null, "SIGTERM"],
];
for (const [script, exitCode, signal] of endings) {
  test(`a child that runs '${script}' ends with ${exitCode ?? signal}`, async () => {
    const exit = await spawnShell(script).exited;
    assert.deepEqual([exit.exitCode, exit.signal], [exitCode, signal]);
  });
}

test("TERM ends a child that obeys it", async () => {
  const child = spawnShell("exec sleep 20");
  await child.end();
  assert.equal((await child.exited).signal, "SIGTERM");
});

test("KILL ends a child that ignores TERM, after a grace", async () => {
  const child = spawnShell("trap '' TERM; echo ready; exec sleep 20", { stdout: "pipe" });
  await new Promise((resolve) => child.stdout!.once("data", resolve));
  const start = performance.now();
  await Promise.all([child.end(300), child.end(300)]);
  assert.ok(performance.now() - start > 250);
  assert.equal((await child.exited).signal, "SIGKILL");
});

test("a child has ended although a grandchild keeps its pipes open", async () => {
  for (const signal of ["SIGTERM", "SIGKILL"]) {
    const child = spawnShell("sleep 20 & echo ready; exec sleep 20", { stdout: "pipe" });
    await new Promise((resolve) => child.stdout!.once("data", resolve));
    const start = performance.now();
    if (signal === "SIGTERM") await child.end(100);
    else child.abandon();
    assert.equal((await child.exited).signal, signal);
    assert.ok(performance.now() - start < 15_000);
  }
});

test("an abort ends the child, before its start as well as later", async () => {
  const later = new AbortController();
  setTimeout(() => later.abort(), 50);
  for (const signal of [AbortSignal.abort(), later.signal]) {
    assert.equal((await spawnShell("exec sleep 20", { signal }).exited).signal, "SIGTERM");
  }
});

test("a child that has ended can be ended again", async () => {
  const child = spawnShell("exit 7");
  await child.exited;
  await child.end();
  child.abandon();
  assert.equal((await child.exited).exitCode, 7);
});

test("no signal is sent to the id of a child that has ended: another program may have it", async () => {
  const { kill } = process;
  const child = spawnShell("exit 7");
  await child.exited;
  const sent: unknown[] = [];
  process.kill = (...args) => {
    sent.push(args);
    return true;
  };
  try {
    await child.end();
    child.abandon();
  } finally {
    process.kill = kill;
  }
  assert.deepEqual(sent, []);
});

test("a child that has ended leaves no timer and no listener", async () => {
  const watched = watchedSignal();
  using timers = watchTimers();
  const child = spawnShell("exec sleep 20", { signal: watched.signal });
  await child.end(123_456);
  assert.equal(watched.listeners, 0);
  assert.ok(!timers.delaysMs.includes(123_456));
});

test("the end of long messages is kept", async () => {
  const { messages } = await spawnShell("seq 1 50000 >&2; echo the end >&2").exited;
  assert.ok(messages.endsWith("49999\n50000\nthe end\n"));
  assert.ok(messages.length <= 64 * 1024);
});

test("messages are UTF-8", async () => {
  const script = "printf '\\303' >&2; sleep 0.1; printf '\\244 \\377' >&2";
  assert.equal((await spawnShell(script).exited).messages, "ä \ufffd");
});

test("a program that does not exist rejects with not_found", async () => {
  await assert.rejects(startChild("/no/such/program", [], {}), { code: "not_found" });
  const child = spawnChild("/no/such/program", []);
  await assert.rejects(child.started, { code: "not_found" });
  await assert.rejects(child.exited, { code: "not_found" });
  await child.end();
});

test("a program that cannot be executed rejects with the reason, without arguments", async () => {
  const arg = "x".repeat(3_000_000);
  const attempts: readonly [command: string, arg: string][] = [["/etc", "x"], ["/bin/true", arg]];
  for (const [command, arg] of attempts) {
    await assert.rejects(startChild(command, [arg], {}), (error: Error & { code?: string }) => {
      assert.equal(error.code, "file");
      assert.match(error.message, new RegExp(`^The program ${command} could not be started: `));
      assert.ok(error.message.length < 500);
      return true;
    });
  }
});

test("a child gets the given environment alone, and the given name", async () => {
  const env = { PATH, ONLY: "this", UNSET: undefined };
  const environment = await spawnChild("sh", ["-c", "exec env >&2"], { env }).exited;
  const names = environment.messages.trim().split("\n").map((line) => line.split("=")[0]);
  assert.ok(names.includes("ONLY"));
  for (const name of ["HOME", "USER", "UNSET"]) assert.ok(!names.includes(name), names.join());
  const name = await spawnChild("/bin/sh", ["-c", "echo $0 >&2"], { name: "packer" }).exited;
  assert.equal(name.messages, "packer\n");
});

test("a child does not inherit descriptors by accident", async () => {
  const native = await nativeCalls();
  const descriptors = [...native.socketPair(), ...native.pipe()];
  const { messages } = await spawnShell("ls -l /proc/self/fd >&2").exited;
  for (const descriptor of descriptors) {
    assert.doesNotMatch(messages, new RegExp(` ${descriptor} -> (socket|pipe)`));
    native.close(descriptor);
  }
});

function spawnShell(script: string, options: ChildOptions = {}) {
  return spawnChild("/bin/sh", ["-c", script], { env: { PATH }, ...options });
}
