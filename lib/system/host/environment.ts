/** The process's surroundings: environment variables, processors, architecture, account. */

import { readFileSync } from "node:fs";
import os from "node:os";
import process from "node:process";

/**
 * Bun would trust any `https://` proxy for the first, whatever a connection's own options say; for
 * the second it would warn of secrets in a log that it does not write.
 */
const RUNTIME_SWITCHES = ["NODE_TLS_REJECT_UNAUTHORIZED", "NODE_DEBUG"];
const hidden: Record<string, string> = {};

/** Takes them away from the runtime. {@link environment} still has them, for programs to inherit. */
export function hideRuntimeSwitches(): void {
  for (const name of RUNTIME_SWITCHES) {
    const value = process.env[name];
    if (value === undefined) continue;
    hidden[name] = value;
    delete process.env[name];
  }
}

/**
 * A copy of the environment that the process was started with. Values that are not UTF-8 are not as
 * they were set.
 */
export function environment(): Readonly<Record<string, string | undefined>> {
  return { ...process.env, ...hidden };
}

/** The processors that this process may use, by affinity mask and cgroup quota. At least 1. */
export function cpuCount(): number {
  const allowed = Math.max(1, os.availableParallelism());
  const quota = cgroupQuota();
  return quota === undefined ? allowed : Math.min(allowed, Math.max(1, Math.ceil(quota)));
}

/** The architecture's name in Go and in OCI images: `amd64`, `arm64`, `ppc64le`, … */
export function hostArchitecture(): string {
  const little = os.endianness() === "LE";
  const name: string = os.arch();
  switch (name) {
    case "x64":
      return "amd64";
    case "ia32":
      return "386";
    case "ppc64":
      return little ? "ppc64le" : "ppc64";
    case "mips":
    case "mips64":
      return little ? `${name}le` : name;
    case "mipsel":
      return "mipsle";
    default:
      return name;
  }
}

/** The home directory of the user's account, which serves when `HOME` is not set. */
export function accountHome(): string | undefined {
  try {
    return os.userInfo().homedir || undefined;
  } catch {
    return undefined;
  }
}

/** The user's id. */
export function accountId(): number {
  return process.getuid!();
}

/** The quota of cgroup v2 at the visible root, which in a container is its own group. */
function cgroupQuota(): number | undefined {
  try {
    const [quota, period] = readFileSync("/sys/fs/cgroup/cpu.max", "utf8").trim().split(" ");
    const processors = Number(quota) / Number(period);
    return Number.isFinite(processors) && processors > 0 ? processors : undefined;
  } catch {
    return undefined;
  }
}
