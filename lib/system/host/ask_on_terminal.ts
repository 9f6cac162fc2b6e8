/** Asks for a line of text on the terminal. */

import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { abortedError } from "../../errors.ts";

interface AskOptions {
  /** Whether what is typed does not show: a password. */
  readonly isHidden?: boolean;
}

/** Undefined when standard input or standard error is not a terminal, and at the end of input. */
export function askOnTerminal(
  question: string,
  signal: AbortSignal,
  { isHidden = false }: AskOptions = {},
): Promise<string | undefined> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY || !stderr.isTTY) return Promise.resolve(undefined);
  stderr.write(question);
  // readline echoes to its output: this one drops everything.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = isHidden ? nowhere : stderr;
  const terminal = createInterface({ input: stdin, output, terminal: true });
  return new Promise((resolve, reject) => {
    let answer: string | undefined;
    const onAbort = () => terminal.close();
    signal.addEventListener("abort", onAbort, { once: true });
    terminal.once("line", (line) => {
      answer = line;
      terminal.close();
    });
    // readline swallows Ctrl-C: send the signal, so that the program can end.
    terminal.once("SIGINT", () => {
      terminal.close();
      process.kill(process.pid, "SIGINT");
    });
    terminal.once("close", () => {
      signal.removeEventListener("abort", onAbort);
      if (isHidden || answer === undefined) stderr.write("\n");
      stdin.pause();
      if (signal.aborted) reject(abortedError(signal));
      else resolve(answer);
    });
  });
}
