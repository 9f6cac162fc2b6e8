/** Asks for a password on the terminal, without showing what is typed. */

import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { abortedError } from "../../../errors.ts";

/** Undefined when standard input or standard error is not a terminal, and at the end of input. */
export function askPassword(question: string, signal: AbortSignal): Promise<string | undefined> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY || !stderr.isTTY) return Promise.resolve(undefined);
  stderr.write(question);
  // readline echoes to its output: this one drops everything.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
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
      stderr.write("\n");
      stdin.pause();
      if (signal.aborted) reject(abortedError(signal));
      else resolve(answer);
    });
  });
}
