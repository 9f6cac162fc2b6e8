/** Machines that exist only in tests. */

import type { Finding } from "../../lib/doctor/finding.ts";
import type { FileSystem, Machine } from "../../lib/doctor/machine.ts";
import { RELEASED } from "../../lib/system/version.ts";

export interface FakeMachine extends Partial<Omit<Machine, "read">> {
  /** Contents by path; other files do not exist. */
  readonly files?: Readonly<Record<string, string>>;
}

export const ROOMY: FileSystem = { type: 0xef53, freeBytes: 1e12, freeFiles: 1e6, files: 1e7 };

/** A healthy machine, with `changes`. */
export function fakeMachine({ files = {}, ...changes }: FakeMachine = {}): Machine {
  return {
    architecture: "amd64",
    libc: "glibc 2.36",
    kernel: "6.1.0",
    processors: 4,
    uid: 1000,
    userName: "me",
    nowMs: () => (RELEASED + 3600) * 1000,
    read: (path) => files[path],
    exists: (path) => path in files,
    isWritable: () => true,
    space: () => ROOMY,
    tryContainer: () => Promise.resolve({ overlay: true }),
    complaintOf: () => Promise.resolve(""),
    findProgram: (name) => `/usr/bin/${name}`,
    ...changes,
  };
}

/** `warning Clock: …` for each finding that is not ok. */
export function troubles(findings: readonly Finding[]): string[] {
  return findings.filter(({ status }) => status !== "ok")
    .map(({ status, subject, message }) => `${status} ${subject}: ${message}`);
}
