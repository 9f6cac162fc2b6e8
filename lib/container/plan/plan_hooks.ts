/** Decides which hooks run before a container starts, in which order, and why. */

import { basename } from "node:path";
import type { BuiltInHook, PlannedHook } from "../../types/container.ts";
import type { HookFile } from "./configuration.ts";
import type { PlanInputs } from "./plan_inputs.ts";

/** What decides about hooks. */
export interface HookInputs
  extends Pick<PlanInputs, "builtInHooks" | "configuration" | "script" | "host"> {
  readonly request: Pick<PlanInputs["request"], "namespaces" | "settings">;
}

/** All hooks of the system by name, then those of the user, then `hooks()` of the script. */
export function planHooks(
  { builtInHooks, configuration: { system, user }, script, request, host }: HookInputs,
): readonly PlannedHook[] {
  const { namespaces, settings } = request;
  const builtInNames = new Set(builtInHooks.map(({ name }) => name));
  const replaced = new Set([...system.hooks, ...user.hooks].map(({ name }) => name));
  const files = (hooks: readonly HookFile[]) =>
    hooks.map((hook) => fileHook(hook, builtInNames.has(hook.name)));
  const ownHooks = builtInHooks.filter(({ name }) => !replaced.has(name))
    .map((hook) => builtInHook(hook, hook.reason({ environment: host, namespaces, settings })));
  return [
    ...[...files(system.hooks), ...ownHooks].sort((a, b) => a.name < b.name ? -1 : 1),
    ...files(user.hooks),
    ...(script?.hasHooks ? [scriptHook(script.path)] : []),
  ];
}

function builtInHook({ name, when }: BuiltInHook, reason: string | undefined): PlannedHook {
  return {
    name,
    type: "built-in",
    reason: reason ?? `it runs when ${when}`,
    runs: reason !== undefined,
  };
}

function fileHook({ name, path, isExecutable, isEmpty }: HookFile, replaces: boolean): PlannedHook {
  const runs = isExecutable && !isEmpty;
  const state = isEmpty
    ? "it is empty"
    : isExecutable
    ? "it is executable"
    : "it is not executable";
  const replacing = runs ? "takes the place of" : "switches off";
  return {
    name,
    type: "file",
    path,
    reason: replaces ? `${state}, and ${replacing} the built-in hook of this name` : state,
    runs,
  };
}

function scriptHook(path: string): PlannedHook {
  return {
    name: basename(path),
    type: "script",
    path,
    reason: "the configuration script has a function hooks()",
    runs: true,
  };
}
