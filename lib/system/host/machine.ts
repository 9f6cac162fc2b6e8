/** What an examination looks at, so that a test can show it another machine. */

import fs from "node:fs";
import os from "node:os";
import { cpuCount, hostArchitecture } from "./environment.ts";
import { libcVersion } from "./libc_version.ts";
import { runCommand } from "../process/run_command.ts";

export interface Machine {
  /** As images name it: `amd64`. */
  readonly architecture: string;
  /** `glibc 2.36`; undefined for another C library. */
  readonly libc: string | undefined;
  /** `6.1.0-18-amd64`. */
  readonly kernel: string;
  readonly processors: number;
  readonly uid: number;
  readonly userName: string | undefined;
  nowMs(): number;
  /** A small text file's content without white space around it; undefined where it cannot be read. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
  isWritable(path: string): boolean;
  /** Throws as `statfs` does. */
  space(path: string): FileSystem;
  /** What a program says when it fails; empty when it succeeds; undefined where it is not there. */
  complaintOf(program: string, args: readonly string[]): Promise<string | undefined>;
}

export interface FileSystem {
  /** The magic number of statfs(2). */
  readonly type: number;
  readonly freeBytes: number;
  readonly freeFiles: number;
  readonly files: number;
}

const PROBE_TIMEOUT_MS = 10_000;

/** The machine that this process runs on. */
export async function thisMachine(): Promise<Machine> {
  const { uid, username } = userInfo();
  return {
    architecture: hostArchitecture(),
    libc: await libcVersion(),
    kernel: os.release(),
    processors: cpuCount(),
    uid,
    userName: username,
    nowMs: () => Date.now(),
    read(path) {
      try {
        return fs.readFileSync(path, "utf8").trim();
      } catch {
        return undefined;
      }
    },
    exists: (path) => fs.existsSync(path),
    isWritable(path) {
      try {
        fs.accessSync(path, fs.constants.W_OK | fs.constants.X_OK);
        return true;
      } catch {
        return false;
      }
    },
    space(path) {
      const { type, bavail, bsize, ffree, files } = fs.statfsSync(path);
      // Some types have the sign's bit set.
      return { type: type >>> 0, freeBytes: bavail * bsize, freeFiles: ffree, files };
    },
    async complaintOf(program, args) {
      try {
        const { exitCode, messages } = await runCommand(program, args, {
          timeoutMs: PROBE_TIMEOUT_MS,
        });
        return exitCode === 0 ? "" : messages.trim() || `exit code ${exitCode}`;
      } catch {
        return undefined;
      }
    },
  };
}

/** A user without an account has no name. */
function userInfo(): { readonly uid: number; readonly username?: string } {
  try {
    return os.userInfo();
  } catch {
    return { uid: Number(fs.statSync("/proc/self").uid) };
  }
}
