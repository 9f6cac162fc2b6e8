/** A program on its own terminal; tests type as a person would. */

import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { waitUntil } from "./run_program.ts";

export interface Terminal {
  type(keys: string): void;
  /** Waits until the output since the last call matches, and gives that output. */
  expect(pattern: RegExp): Promise<string>;
  /** Ends the program. */
  close(): Promise<void>;
}

/** `command` is a shell's line; `script` of util-linux makes the terminal. */
export function openTerminal(
  command: string,
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Terminal {
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, LANG: "C.UTF-8", TERM: "dumb", ...options.env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => text += chunk.toString("utf8"));
  return {
    type: (keys) => void child.stdin.write(keys),
    async expect(pattern) {
      const seen = () => stripVTControlCharacters(text).replaceAll("\r", "");
      try {
        await waitUntil(String(pattern), () => pattern.test(seen()));
      } catch (error) {
        throw new Error(`The terminal shows:\n${seen()}`, { cause: error });
      }
      const all = seen();
      text = "";
      return all;
    },
    async close() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
