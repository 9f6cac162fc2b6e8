/** Nodes of a cluster, each with a host name, processes and mounts of its own; only root can make them. */

import { globSync } from "node:fs";
import { type RunningProgram, startProgram } from "./run_program.ts";

export interface NodeOptions {
  /** Its number in the name of the host. */
  readonly index: number;
  /** Its number in the step, whose node 0 leads; the same unless told. */
  readonly indexInStep?: number;
  /** `JOB.STEP`, as Slurm's variables tell it; without one the process is in no job. */
  readonly step?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The user and group id of the process. */
  readonly uid?: number;
  /** How many seconds its clock is ahead. */
  readonly clockAheadS?: number;
  /** Directories that are mounted read-only on this node. */
  readonly readOnly?: readonly string[];
  /** A directory, and how bindfs mounts it over itself: stale caches, as on a network. */
  readonly stale?: { readonly directory: string; readonly seconds: number };
  readonly timeoutMs?: number;
}

const SCRIPT = `
hostname "$NODE_NAME"
for directory in $NODE_READ_ONLY; do mount --bind "$directory" "$directory"; mount -o remount,bind,ro "$directory"; done
if [ -n "$NODE_STALE" ]; then
  bindfs -o "attr_timeout=$NODE_STALE,entry_timeout=$NODE_STALE,negative_timeout=$NODE_STALE" "$NODE_SHARED" "$NODE_SHARED"
fi
exec "$@"
`;

/** Runs a command on a node. A SIGKILL for the program that is returned is the crash of the node. */
export function startOnNode(command: readonly string[], options: NodeOptions): RunningProgram {
  const { index, indexInStep = index, step, env, uid, clockAheadS, readOnly, stale, timeoutMs } =
    options;
  const [job, number] = step?.split(".") ?? [];
  const become = uid === undefined
    ? []
    : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  const namespaces = ["--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const words = [...namespaces, "sh", "-ec", SCRIPT, "sh", ...become, ...command];
  return startProgram("unshare", words, {
    timeoutMs: timeoutMs ?? 120_000,
    env: {
      ...env,
      // The program faketime names its semaphore after its process id, which is the same on all nodes.
      ...(clockAheadS !== undefined && {
        LD_PRELOAD: fakeTime(),
        FAKETIME: `+${clockAheadS}s`,
        FAKETIME_DISABLE_SHM: "1",
      }),
      NODE_NAME: `n${index}`,
      NODE_READ_ONLY: readOnly?.join(" ") ?? "",
      NODE_SHARED: stale?.directory,
      NODE_STALE: stale && String(stale.seconds),
      ...(step !== undefined && {
        SLURM_JOB_ID: job,
        SLURM_STEP_ID: number,
        SLURM_NODEID: String(indexInStep),
        SLURMD_NODENAME: `n${index}`,
      }),
    },
  });
}

function fakeTime(): string {
  const [library] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1");
  if (library === undefined) throw new Error("Debian's package libfaketime is not installed");
  return library;
}
