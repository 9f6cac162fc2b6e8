/** Decides what a container is made of. Pure: the same inputs always give the same plan. */

import type { ContainerPlan } from "../../types/container.ts";
import { planEnvironment } from "./plan_environment.ts";
import { planHooks } from "./plan_hooks.ts";
import type { PlanInputs } from "./plan_inputs.ts";
import { planMounts } from "./plan_mounts.ts";

/**
 * Throws code `settings` for a line of a file that breaks a rule, with the file, the line and the
 * rule, and code `usage` for an option that does.
 */
export function makePlan(inputs: PlanInputs): ContainerPlan {
  const environment = planEnvironment(inputs);
  const mounts = planMounts(inputs);
  return {
    request: inputs.request,
    mounts: mounts.mounts,
    environment: environment.variables,
    hooks: planHooks(inputs),
    ...(inputs.script?.rc !== undefined && { rc: inputs.script.rc }),
    warnings: [...environment.warnings, ...mounts.warnings],
  };
}
