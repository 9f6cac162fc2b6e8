/** What an examination looks at, so that a test can show it another machine. */

import fs from "node:fs";
import os from "node:os";
import type { Settings } from "../config/settings.ts";
import { type Trial, tryContainer } from "../container/trial/try_container.ts";
import { accounts } from "../system/host/accounts.ts";
import { accountId, cpuCount, hostArchitecture } from "../system/host/environment.ts";
import { findProgram } from "../system/host/find_program.ts";
import { libcVersion } from "../system/host/libc_version.ts";
import { runCommand } from "../system/process/run_command.ts";
import { type SystemFiles, systemFiles } from "../system/host/system_files.ts";

export interface Machine extends SystemFiles {
  /** As images name it: `amd64`. */
  readonly architecture: string;
  /** `glibc 2.36`; undefined for another C library. */
  readonly libc: string | undefined;
  /** `6.1.0-18-amd64`. */
  readonly kernel: string;
  readonly processors: number;
  readonly uid: number;
  /** Undefined for a user without an account, or where the account cannot be asked for. */
  readonly userName: string | undefined;
  nowMs(): number;
  /** Whether it is a directory in which this user may create files. */
  isWritable(path: string): boolean;
  /** Throws as `statfs` does. */
  space(path: string): FileSystem;
  /** Enters namespaces as a start does. */
  tryContainer(settings: Settings): Promise<Trial>;
  /**
   * What a program says when it fails; empty when it succeeds; undefined when it cannot be run or
   * takes longer than ten seconds.
   */
  complaintOf(program: string, args: readonly string[]): Promise<string | undefined>;
  /** The path of a program; undefined where there is none. */
  findProgram(name: string, environment: Settings["environment"]): string | undefined;
}

export interface FileSystem {
  /** The magic number of statfs(2). */
  readonly type: number;
  readonly freeBytes: number;
  readonly freeFiles: number;
  /** 0 for a file system without a table of files. */
  readonly files: number;
}

const PROBE_TIMEOUT_MS = 10_000;

/** The machine that this process runs on. */
export async function thisMachine(): Promise<Machine> {
  const uid = accountId();
  return {
    ...systemFiles,
    architecture: hostArchitecture(),
    libc: await libcVersion(),
    kernel: os.release(),
    processors: cpuCount(),
    uid,
    userName: await nameOf(uid),
    nowMs: () => Date.now(),
    isWritable,
    space: fileSystemOf,
    tryContainer,
    complaintOf,
    findProgram,
  };
}

/** Where memory is too short for calls of the C library, the examination goes on without the name. */
async function nameOf(uid: number): Promise<string | undefined> {
  try {
    return (await accounts()).user(uid)?.name;
  } catch {
    return undefined;
  }
}

async function complaintOf(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { exitCode, messages } = await runCommand(program, args, { timeoutMs: PROBE_TIMEOUT_MS });
    return exitCode === 0 ? "" : messages.trim() || `exit code ${exitCode}`;
  } catch {
    return undefined;
  }
}

function isWritable(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.W_OK | fs.constants.X_OK);
    return fs.statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function fileSystemOf(path: string): FileSystem {
  const { type, bavail, bsize, ffree, files } = fs.statfsSync(path);
  // Some magic numbers come out negative.
  return { type: type >>> 0, freeBytes: bavail * bsize, freeFiles: ffree, files };
}
