/** A squashfs tool at work on files: nothing but the end of this process would tell it to stop. */

import { statSync } from "node:fs";
import { memoryFile } from "../system/files/memory_file.ts";
import type { Child } from "../system/process/spawn_child.ts";
import { startChild } from "../system/process/start_child.ts";
import { enterProgram } from "./enter_program.ts";
import type { SquashfsTool, ToolName } from "./find_tools.ts";
import { tendedWords } from "./tended_words.ts";

const EXECUTABLE = 0o100;

/**
 * Starts the tool, which ends with this process, and when `signal` aborts. Where a system forbids
 * programs in memory, a tool goes on with its work when this process is killed. Rejects as
 * {@link startChild} does.
 */
export async function startTool(
  name: ToolName,
  { path }: SquashfsTool,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Child> {
  const enter = memoryFile("denroot-enter", enterProgram());
  try {
    const isRunnable = (statSync(enter.path).mode & EXECUTABLE) !== 0;
    return isRunnable
      ? await startChild(enter.path, tendedWords(path, name, args), { name: "denroot", signal })
      : await startChild(path, args, { name, signal });
  } finally {
    enter.close();
  }
}
