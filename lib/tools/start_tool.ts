/** A squashfs tool at work on files: nothing but the end of this process would tell it to stop. */

import { memoryFile } from "../system/files/memory_file.ts";
import type { Child } from "../system/process/spawn_child.ts";
import { startChild } from "../system/process/start_child.ts";
import { enterProgram } from "./enter_program.ts";
import type { SquashfsTool, ToolName } from "./find_tools.ts";
import { tendedWords } from "./tended_words.ts";

/**
 * Starts the tool, which ends with this process, and when `signal` aborts. Where `enter` is missing or a
 * system forbids programs in memory, a tool goes on with its work when this process is killed. Rejects as
 * {@link startChild} does.
 */
export async function startTool(
  name: ToolName,
  { path }: SquashfsTool,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Child> {
  try {
    return await startEnter(tendedWords(path, name, args), signal);
  } catch {
    // The tool itself may lie in another place, where it runs.
    return await startChild(path, args, { name, signal });
  }
}

async function startEnter(words: readonly string[], signal: AbortSignal): Promise<Child> {
  const enter = memoryFile("denroot-enter", enterProgram());
  try {
    return await startChild(enter.path, words, { name: "denroot", signal });
  } finally {
    enter.close();
  }
}
