/** A child's output as a stream. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import test from "node:test";
import { openFiles } from "../../helpers/leaks.ts";
import { readFromChild } from "../../../lib/system/process/read_from_child.ts";

test("a child's output is read to its end, also what it writes to /dev/stdout", async () => {
  const script = "head -c 300000 /dev/zero > /dev/stdout; printf end";
  const child = await readFromChild("/bin/sh", ["-c", script]);
  const parts: Buffer[] = [];
  for await (const bytes of child.output) parts.push(Buffer.from(bytes));
  assert.equal((await child.exited).exitCode, 0);
  const output = Buffer.concat(parts);
  assert.deepEqual([output.length, output.toString("latin1", 300_000)], [300_003, "end"]);
});

test("output and long messages can come together", async () => {
  const script = "seq 1 40000 >&2; seq 1 40000; seq 1 40000 >&2; exit 4";
  const child = await readFromChild("/bin/sh", ["-c", script]);
  let bytes = 0;
  for await (const { length } of child.output) bytes += length;
  assert.equal(bytes, 228_894);
  const { exitCode, messages } = await child.exited;
  assert.equal(exitCode, 4);
  assert.ok(messages.endsWith("\n40000\n"));
});

test("an abort ends the child and its output", async () => {
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

test("a reader that leaves before the end leaves no child behind", async () => {
  const child = await readFromChild("/bin/sh", ["-c", "echo $$; exec sleep 20"]);
  let pid = 0;
  for await (const bytes of child.output) {
    pid = Number(Buffer.from(bytes).toString());
    break;
  }
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  assert.equal((await child.exited).signal, "SIGTERM");
});

test("pipes are closed after use, also when the program cannot be started", async () => {
  const before = openFiles();
  for (let turn = 0; turn < 8; turn++) {
    const child = await readFromChild("/bin/echo", ["x"]);
    for await (const _ of child.output);
    await child.exited;
    // The arguments are too long for the kernel.
    await assert.rejects(async () => {
      const failed = await readFromChild("/bin/true", ["x".repeat(3_000_000)]);
      for await (const _ of failed.output);
      await failed.exited;
    }, { code: "file" });
  }
  assert.ok(openFiles() < before + 5, `${openFiles() - before} more files are open`);
});

test("a program that does not exist has no output, and its exit rejects", async () => {
  const child = await readFromChild("/no/such/program", []);
  for await (const _ of child.output) assert.fail("there is output");
  await assert.rejects(child.exited, { code: "not_found" });
});
