/** Children: what they read and say, how they end, that both signals reach them. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import test from "node:test";
import { readFromChild, startChild } from "../../../lib/system/process/child_process.ts";
import { nativeCalls } from "../../../lib/system/native_calls.ts";

test("a child reads what is written to its socket, to the end", async () => {
  const native = await nativeCalls();
  const [ours, theirs] = native.socketPair();
  const child = await startShell("wc -c >&2", theirs);
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

test("writing to a child that is gone tells so, and does not kill", async () => {
  const native = await nativeCalls();
  const [ours, theirs] = native.socketPair();
  const child = await startShell("exit 0", theirs);
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
    const exit = await (await startShell(script)).exited;
    assert.deepEqual([exit.exitCode, exit.signal], [exitCode, signal]);
  });
}

test("TERM ends a child that listens, KILL one that does not, after a TERM as well", async () => {
  const listening = await startShell("exec sleep 20");
  listening.terminate();
  assert.equal((await listening.exited).signal, "SIGTERM");
  const deaf = await startShell("trap '' TERM; exec sleep 20");
  // Time for the trap; what comes before it ends the shell, which is as well.
  await new Promise((resolve) => setTimeout(resolve, 60));
  deaf.terminate();
  deaf.terminate();
  deaf.kill();
  assert.equal((await deaf.exited).signal, "SIGKILL");
});

test("a child that has ended may be signalled", async () => {
  const child = await startShell("exit 0");
  await child.exited;
  child.terminate();
  child.kill();
});

test("of long messages the end is kept", async () => {
  const { messages } = await (await startShell("seq 1 50000 >&2; echo the end >&2")).exited;
  assert.ok(messages.endsWith("49999\n50000\nthe end\n"));
  assert.ok(messages.length <= 64 * 1024);
});

test("a program that is not there rejects", async () => {
  await assert.rejects(
    startChild("/no/such/program", [], { stdin: 0, env: {} }),
    { code: "ENOENT" },
  );
});

test("a child gets the given environment alone", async () => {
  const native = await nativeCalls();
  const [ours, theirs] = native.socketPair();
  const child = await startChild("/usr/bin/env", ["sh", "-c", "env >&2"], {
    stdin: theirs,
    env: { ONLY: "this" },
  });
  native.close(theirs);
  native.close(ours);
  const names = (await child.exited).messages.trim().split("\n").map((line) => line.split("=")[0]);
  assert.ok(names.includes("ONLY"));
  assert.ok(!names.includes("HOME") && !names.includes("USER"), names.join());
});

test("a child's output is read to its end, by way of the name /dev/stdout as well", async () => {
  const script = "head -c 300000 /dev/zero > /dev/stdout; printf end";
  const child = await readFromChild("/bin/sh", ["-c", script]);
  const parts: Buffer[] = [];
  for await (const bytes of child.output) parts.push(Buffer.from(bytes));
  assert.equal((await child.exited).exitCode, 0);
  const output = Buffer.concat(parts);
  assert.deepEqual([output.length, output.toString("latin1", 300_000)], [300_003, "end"]);
});

test("output and long messages may come together", async () => {
  const script = "seq 1 40000 >&2; seq 1 40000; seq 1 40000 >&2; exit 4";
  const child = await readFromChild("/bin/sh", ["-c", script]);
  let bytes = 0;
  for await (const { length } of child.output) bytes += length;
  assert.equal(bytes, 228_894);
  const { exitCode, messages } = await child.exited;
  assert.equal(exitCode, 4);
  assert.ok(messages.endsWith("\n40000\n"));
});

test("a child ends when its signal aborts, and with it its output", async () => {
  for (const moment of ["before", "while it is silent"]) {
    const controller = new AbortController();
    if (moment === "before") controller.abort();
    else setTimeout(() => controller.abort(), 50);
    const { signal } = controller;
    const child = await readFromChild("/bin/sh", ["-c", "exec sleep 20"], { signal });
    for await (const _ of child.output) assert.fail("there is output");
    assert.equal((await child.exited).signal, "SIGTERM", moment);
  }
});

test("whoever leaves a child's output before its end leaves no child", async () => {
  const child = await readFromChild("/bin/sh", ["-c", "echo $$; exec sleep 20"]);
  let pid = 0;
  for await (const bytes of child.output) {
    pid = Number(Buffer.from(bytes).toString());
    break;
  }
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  assert.equal((await child.exited).signal, "SIGTERM");
});

test("the output of a program that is not there is empty, and its exit rejects", async () => {
  const child = await readFromChild("/no/such/program", []);
  for await (const _ of child.output) assert.fail("there is output");
  await assert.rejects(child.exited, { code: "ENOENT" });
});

test("descriptors are not inherited by accident", async () => {
  const native = await nativeCalls();
  const pair = native.socketPair();
  const pipe = native.pipe();
  const child = await readFromChild("/bin/ls", ["-l", "/proc/self/fd"]);
  let listing = "";
  for await (const bytes of child.output) listing += Buffer.from(bytes).toString();
  await child.exited;
  for (const descriptor of [...pair, ...pipe]) {
    assert.doesNotMatch(listing, new RegExp(` ${descriptor} -> (socket|pipe)`));
    native.close(descriptor);
  }
});

async function startShell(script: string, stdin?: number) {
  const options = { env: { PATH: "/usr/bin:/bin" } };
  if (stdin !== undefined) {
    return await startChild("/bin/sh", ["-c", script], { ...options, stdin });
  }
  const native = await nativeCalls();
  const [ours, theirs] = native.socketPair();
  try {
    return await startChild("/bin/sh", ["-c", script], { ...options, stdin: theirs });
  } finally {
    native.close(theirs);
    native.close(ours);
  }
}
