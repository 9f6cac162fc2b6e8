/** Programs that are run to their end, or are ended. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DenrootError } from "../../../lib/errors.ts";
import { runCommand } from "../../../lib/system/process/run_command.ts";
import { watchedSignal, watchTimers } from "../../helpers/leaks.ts";
import { waitUntil } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("command");

function hasCode(code: string) {
  return (error: unknown) => error instanceof DenrootError && error.code === code;
}

test("exit code, output and messages are collected", async () => {
  const { exitCode, signal, stdout, messages } = await runCommand(
    "sh",
    ["-c", "cat; echo oops >&2; exit 3"],
    { input: "in" },
  );
  assert.deepEqual([exitCode, signal, `${stdout}`, messages], [3, null, "in", "oops\n"]);
});

test("a program may read megabytes and write them, or read none of them", async () => {
  const input = "x".repeat(3_000_000);
  assert.equal((await runCommand("cat", [], { input })).stdout.length, input.length);
  assert.equal((await runCommand("true", [], { input })).exitCode, 0);
});

test("without input a program reads an empty one", async () => {
  assert.equal((await runCommand("cat", [])).stdout.length, 0);
});

test("the given environment is the whole one, and its PATH finds the program", async () => {
  const path = join(scratch, "denroot-test-tool");
  writeFileSync(path, '#!/bin/sh\necho "$HOME|$X"\n');
  chmodSync(path, 0o755);
  const env = { PATH: scratch, X: "y", UNSET: undefined };
  assert.equal(`${(await runCommand("denroot-test-tool", [], { env })).stdout}`, "|y\n");
});

test("the signal that ended a program is told", async () => {
  const { exitCode, signal } = await runCommand("sh", ["-c", "kill -TERM $$"]);
  assert.deepEqual([exitCode, signal], [null, "SIGTERM"]);
});

test("a program that does not exist rejects with not_found", async () => {
  await assert.rejects(runCommand("denroot-no-such-program", []), hasCode("not_found"));
});

test("a timeout, too much output and an abort end the program at once", async () => {
  const start = performance.now();
  // A grandchild holds the pipes open after the program's death.
  const slow = runCommand("sh", ["-c", "sleep 100; true"], { timeoutMs: 50 });
  await assert.rejects(slow, hasCode("limit"));
  await assert.rejects(runCommand("yes", [], { maxOutputBytes: 1000 }), hasCode("limit"));
  const aborted = runCommand("sleep", ["100"], { signal: AbortSignal.timeout(50) });
  await assert.rejects(aborted, hasCode("aborted"));
  await assert.rejects(runCommand("true", [], { signal: AbortSignal.abort() }), hasCode("aborted"));
  const reason = new DenrootError("aborted", "The user had enough");
  const stopped = runCommand("true", [], { signal: AbortSignal.abort(reason) });
  await assert.rejects(stopped, reason);
  assert.ok(performance.now() - start < 50_000);
});

test("an abort ends what the program itself has started", async () => {
  const controller = new AbortController();
  const pidFile = join(scratch, "grandchild");
  const script = `sleep 60 & echo $! >"${pidFile}"; wait`;
  const running = runCommand("sh", ["-c", script], { signal: controller.signal });
  const rejected = assert.rejects(running, hasCode("aborted"));
  const pid = () => existsSync(pidFile) ? readFileSync(pidFile, "utf8").trim() : "";
  await waitUntil("it has started another program", () => pid() !== "");
  controller.abort();
  await rejected;
  // What is left without a parent may stay as a zombie where nobody collects it.
  await waitUntil("that has ended", () => !/sleep/.test(commandOf(pid())));
});

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

test("exactly as much output as is allowed is no error", async () => {
  assert.equal(`${(await runCommand("printf", ["1234"], { maxOutputBytes: 4 })).stdout}`, "1234");
});

test("a program that is given up does not go on", async () => {
  const file = join(scratch, "pid");
  const script = `echo $$ > "${file}.new"; mv "${file}.new" "${file}"; exec sleep 20`;
  const stop = new AbortController();
  const running = runCommand("sh", ["-c", script], { signal: stop.signal });
  await waitUntil("it runs", () => existsSync(file));
  stop.abort();
  await assert.rejects(running, hasCode("aborted"));
  const pid = Number(readFileSync(file, "utf8"));
  await waitUntil("it has ended", () => !existsSync(`/proc/${pid}`));
});

test("a program that has ended leaves no timer and no listener", async () => {
  const watched = watchedSignal();
  using timers = watchTimers();
  await runCommand("true", [], { signal: watched.signal, timeoutMs: 123_456 });
  assert.equal(watched.listeners, 0);
  assert.ok(!timers.delaysMs.includes(123_456));
});
