/** A question to the person at the terminal. */

import { Buffer } from "node:buffer";
import { readSync, writeSync } from "node:fs";

const STDIN = 0;
const STDERR = 2;
const MAX_ANSWER = 1024;

/**
 * Asks on standard error, as it is no result, and gives the line that standard input has; undefined
 * when it ends before a line does. It reads no byte behind the line: that is for the next question.
 */
export function ask(question: string): string | undefined {
  writeSync(STDERR, question);
  const line: number[] = [];
  const byte = Buffer.alloc(1);
  while (line.length < MAX_ANSWER) {
    if (readSync(STDIN, byte) === 0) {
      // What is printed next begins a line of its own.
      writeSync(STDERR, "\n");
      return undefined;
    }
    if (byte[0] === 0x0a) break;
    line.push(byte[0]!);
  }
  return Buffer.from(line).toString();
}
