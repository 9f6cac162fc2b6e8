/** A tool that works on files ends with denroot. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { startTool } from "../../lib/tools/start_tool.ts";
import { countProcesses } from "../helpers/count_processes.ts";
import { bun, deno } from "../helpers/denroot_command.ts";
import { findProgram, startProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("tool");
const module = new URL("../../lib/tools/start_tool.ts", import.meta.url).pathname;
const sleep = { path: findProgram("sleep")! };

/** A program that starts `sleep` as the tool, and ends with it. */
function sleepingScript(seconds: string): string {
  const script = join(scratch, `sleep-${seconds}.ts`);
  writeFileSync(
    script,
    `import { startTool } from ${JSON.stringify(module)};
const { signal } = new AbortController();
const tool = await startTool("unsquashfs", ${JSON.stringify(sleep)}, ["${seconds}"], signal);
process.exit((await tool.exited).exitCode);
`,
  );
  return script;
}

for (const { name, command } of [bun, deno]) {
  test(`a tool does not outlive a denroot that is killed (${name})`, async () => {
    const seconds = String(3e6 + process.pid);
    const words = [...command.slice(1, -1), sleepingScript(seconds)];
    const program = startProgram(command[0], words);
    await waitUntil("the tool runs", () => countProcesses("unsquashfs", seconds) === 1);
    program.child.kill("SIGKILL");
    await waitUntil("the tool is gone", () => countProcesses("unsquashfs", seconds) === 0);
    await program.done;
  });
}

test("a tool runs also where programs in memory do not", async () => {
  // /proc is that of another PID namespace, and so the path of the program leads nowhere.
  const words = ["-Urpf", bun.command[0], ...bun.command.slice(1, -1), sleepingScript("0")];
  const { exitCode, stderr } = await startProgram("unshare", words).done;
  assert.equal(exitCode, 0, stderr);
});

test("a tool ends when it is told to", async () => {
  const controller = new AbortController();
  const tool = { ...sleep } as Parameters<typeof startTool>[1];
  const child = await startTool("unsquashfs", tool, ["1000"], controller.signal);
  controller.abort();
  assert.equal((await child.exited).signal, "SIGTERM");
});
