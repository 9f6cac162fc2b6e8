/** Runs a command line inside the test's own process. */

import { Progress } from "../../lib/command/output/progress.ts";
import { runCommandLine } from "../../lib/command/run_command_line.ts";

/** The context for a command, and the list of what it prints to standard output. */
export function newContext(programName = "denroot") {
  const printed: string[] = [];
  const progress = new Progress({
    write: () => {},
    terminal: false,
    colour: false,
    size: () => ({ columns: 80, rows: 24 }),
    nowMs: () => 0,
  });
  const context = {
    console: {
      programName,
      colour: false,
      result: (text: string) => void printed.push(`${text}\n`),
      help: (text: string) => void printed.push(text),
      log: () => {},
    },
    progress,
    ask: () => Promise.resolve(undefined),
    signal: new AbortController().signal,
    letSignalsGo: () => Promise.resolve(),
  };
  return { context, printed };
}

/** Runs the command line, and returns what it prints to standard output. */
export async function runInProcess(args: readonly string[], programName?: string): Promise<string> {
  const { context, printed } = newContext(programName);
  await runCommandLine(args, context);
  return printed.join("");
}
