/** Says which hooks run when a container starts. */

import type { Settings } from "../../config/settings.ts";
import type { PlannedHook } from "../../types/container.ts";
import { readConfiguration } from "../plan/configuration.ts";
import { planHooks } from "../plan/plan_hooks.ts";
import { namespacesOf } from "../start/start_request.ts";
import { BUILT_IN_HOOKS } from "./built_in_hooks.ts";

export interface ListedHook extends PlannedHook {
  /** What a built-in hook does, in one sentence. */
  readonly summary?: string | undefined;
}

/**
 * The hooks of a start with these settings, in the order in which they run, with those that do not
 * run. Throws code `settings` for a directory of hooks that cannot be read.
 */
export function listHooks(settings: Settings): readonly ListedHook[] {
  const hooks = planHooks({
    builtInHooks: BUILT_IN_HOOKS,
    configuration: readConfiguration(settings),
    host: settings.environment,
    request: { namespaces: namespacesOf({ settings }), settings },
  });
  return hooks.map((hook) => {
    if (hook.type !== "built-in") return hook;
    return { ...hook, summary: BUILT_IN_HOOKS.find(({ name }) => name === hook.name)?.summary };
  });
}
