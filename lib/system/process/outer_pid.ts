/** This process's number where it was started. */

import { readlinkSync } from "node:fs";
import process from "node:process";

/**
 * The number that this process has for the mounted `/proc`: in a PID namespace of its own it is 1 for
 * itself, and has another number outside.
 */
export function outerPid(): number {
  try {
    return Number(readlinkSync("/proc/self"));
  } catch {
    return process.pid;
  }
}
