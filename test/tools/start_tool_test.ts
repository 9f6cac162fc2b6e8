/** A tool that works on files ends with denroot. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { startTool } from "../../lib/tools/start_tool.ts";
import { bun, deno } from "../helpers/denroot_command.ts";
import { findProgram, startProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("tool");
const module = new URL("../../lib/tools/start_tool.ts", import.meta.url).pathname;
const sleep = { path: findProgram("sleep")! };

for (const { name, command } of [bun, deno]) {
  test(`a tool does not outlive a denroot that is killed (${name})`, async () => {
    const seconds = String(3e6 + process.pid);
    const script = join(scratch, `${name}.ts`);
    writeFileSync(
      script,
      `import { startTool } from ${JSON.stringify(module)};
const tool = await startTool("unsquashfs", ${
        JSON.stringify(sleep)
      }, ["${seconds}"], new AbortController().signal);
await tool.exited;
`,
    );
    const program = startProgram(command[0], [...command.slice(1, -1), script]);
    await waitUntil("the tool runs", () => isRunning(seconds));
    program.child.kill("SIGKILL");
    await waitUntil("the tool is gone", () => !isRunning(seconds));
    await program.done;
  });
}

test("a tool ends when it is told to", async () => {
  const controller = new AbortController();
  const tool = { ...sleep } as Parameters<typeof startTool>[1];
  const child = await startTool("unsquashfs", tool, ["1000"], controller.signal);
  controller.abort();
  assert.equal((await child.exited).signal, "SIGTERM");
});

/** Whether the program runs under the name of the tool. */
function isRunning(seconds: string): boolean {
  return readdirSync("/proc").some((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8") === `unsquashfs\0${seconds}\0`;
    } catch {
      return false;
    }
  });
}
