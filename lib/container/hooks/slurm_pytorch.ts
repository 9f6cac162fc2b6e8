/** `50-slurm-pytorch.sh`: a task of Slurm has the variables that PyTorch's `env://` asks for. */

import type { BuiltInHook, HookHost } from "../../types/container.ts";

/** Ports from 61000 on, which no kernel gives to outgoing connections by default. */
const FIRST_PORT = 61000;
const PORTS = 4536;

export const slurmPytorchHook: BuiltInHook = {
  name: "50-slurm-pytorch.sh",
  summary: "Gives PyTorch its rank, the number of tasks and the first node's name under Slurm.",
  when: "a Slurm job starts a container that has the variable PYTORCH_VERSION",
  reason: ({ environment }) =>
    environment["SLURM_JOB_ID"]
      ? "this is a Slurm job; the hook acts where the image has PYTORCH_VERSION"
      : undefined,
  run(context) {
    if (!context.variables.has("PYTORCH_VERSION")) return;
    for (const [name, value] of pytorchVariables(context.environment)) {
      if (!context.variables.has(name)) context.setVariable(name, value);
    }
  },
};

/** The variables from those of Slurm; they are given where the container has none of the name. */
export function pytorchVariables(
  environment: HookHost["environment"],
): readonly (readonly [name: string, value: string])[] {
  const variables: [string, string][] = [];
  const add = (name: string, value: string | undefined) => {
    if (value) variables.push([name, value]);
  };
  const job = Number(environment["SLURM_JOB_ID"]);
  add("MASTER_ADDR", firstHost(environment["SLURM_STEP_NODELIST"] ?? ""));
  if (Number.isInteger(job)) add("MASTER_PORT", String(job % PORTS + FIRST_PORT));
  add("WORLD_SIZE", environment["SLURM_NTASKS"]);
  add("RANK", environment["SLURM_PROCID"]);
  add("LOCAL_RANK", environment["SLURM_LOCALID"]);
  const tasks = Number(environment["SLURM_STEP_NUM_TASKS"] || 1);
  // As torch.distributed.run does where a node has several tasks.
  if (tasks > Number(environment["SLURM_STEP_NUM_NODES"] || 1)) add("OMP_NUM_THREADS", "1");
  return variables;
}

/** The first name of a list of hosts in Slurm's form: `node01` of `node[01-04,07],login1`. */
export function firstHost(list: string): string | undefined {
  const first = /^(?:[^,[\]]|\[[^\]]*\])+/.exec(list)?.[0];
  return first?.replace(/\[([^\]]*)\]/g, (_, ranges: string) => ranges.split(/[-,]/)[0]!);
}
