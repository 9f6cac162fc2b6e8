/** Which processes ask for an image together: the nodes of one job step. */

import { createHash } from "node:crypto";
import { DenrootError } from "../errors.ts";

export interface Step {
  /** Fit for a file's name; the same on all nodes of the step. */
  readonly name: string;
  /** Whether this node leads, when it is there in time. */
  readonly isFirst: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/;

/**
 * The step that Slurm's variables name, or the user. The script of sbatch is a step without a number,
 * and a job that was put back into the queue counts as another one. Undefined outside of a job.
 * Throws code `usage` for a name that is no file's.
 */
export function currentStep(env: Environment, named?: string): Step | undefined {
  const name = named ?? slurmStep(env);
  if (name === undefined) return undefined;
  if (!NAME.test(name)) {
    throw new DenrootError("usage", `A step cannot have the name "${name.slice(0, 100)}"`, {
      hint: "Use up to 100 letters, digits, dots, plus and minus signs and underscores",
    });
  }
  return { name, isFirst: Number(env.SLURM_NODEID ?? 0) === 0 };
}

/** A short name for what a step asks for: it may ask for several images. */
export function nameOfRequest(uri: string, options: string): string {
  return createHash("sha256").update(`${uri}\n${options}`).digest("hex").slice(0, 12);
}

function slurmStep(env: Environment): string | undefined {
  const { SLURM_JOB_ID: job, SLURM_STEP_ID: step, SLURM_RESTART_COUNT: restarts } = env;
  if (!/^\d+$/.test(job ?? "")) return undefined;
  const again = /^[1-9]\d*$/.test(restarts ?? "") ? `r${restarts}` : "";
  return `${job}${again}.${/^\d+$/.test(step ?? "") ? step : "batch"}`;
}
