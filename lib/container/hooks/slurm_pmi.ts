/** `50-slurm-pmi.sh`: a task of Slurm finds its neighbours (PMIx, PMI) from inside the container. */

import type { BuiltInHook, HookHost } from "../../types/container.ts";
import { mountLine } from "./mount_line.ts";

/** What PMIx's server calls a choice, and what its client calls the same. */
const CLIENT_NAMES: readonly (readonly [server: string, client: string])[] = [
  ["PMIX_PTL_MODULE", "PMIX_MCA_ptl"],
  ["PMIX_SECURITY_MODE", "PMIX_MCA_psec"],
  ["PMIX_GDS_MODULE", "PMIX_MCA_gds"],
];

export const slurmPmiHook: BuiltInHook = {
  name: "50-slurm-pmi.sh",
  summary: "Passes Slurm's variables and its PMIx or PMI server on to the container.",
  when: "a step of a Slurm job starts the container",
  reason: (host) =>
    isSet(host, "SLURM_JOB_ID") && isSet(host, "SLURM_STEP_ID")
      ? "this is a step of a Slurm job"
      : undefined,
  run(context) {
    const { environment } = context;
    for (const [name, value] of pmiVariables(environment)) context.setVariable(name, value);
    const directory = environment["PMIX_SERVER_TMPDIR"];
    if (!directory || !hasPmix(environment)) return;
    // The server may have gone, or lie where this node's processes cannot reach it.
    const options = [
      "x-create=dir",
      "bind",
      "rw",
      "nosuid",
      "noexec",
      "nodev",
      "private",
      "nofail",
    ];
    context.mountLater(mountLine(directory, directory, options));
  },
};

/** The variables that a container gets, from those of the host. */
export function pmiVariables(environment: HookHost["environment"]): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  const pass = (prefix: string) => {
    for (const [name, value] of Object.entries(environment)) {
      if (name.startsWith(prefix) && value !== undefined) variables.set(name, value);
    }
  };
  pass("SLURM_");
  if (hasPmix(environment)) {
    pass("PMIX_");
    for (const [server, client] of CLIENT_NAMES) {
      const value = environment[server];
      if (value && !environment[client]) variables.set(client, value);
    }
  }
  pass("PMI_");
  return variables;
}

function hasPmix(environment: HookHost["environment"]): boolean {
  const type = environment["SLURM_MPI_TYPE"];
  return (!type || type.startsWith("pmix")) &&
    Object.keys(environment).some((name) => name.startsWith("PMIX_"));
}

function isSet({ environment }: HookHost, name: string): boolean {
  return Boolean(environment[name]);
}
