/** Variables that say which hardware a container gets. */

import type { HookContext } from "../../types/container.ts";

/** The host's win over the container's, even where they are empty: a job knows its own devices. */
export function hardwareVariables(
  { environment, variables }: Pick<HookContext, "environment" | "variables">,
  prefix: string,
): ReadonlyMap<string, string> {
  const own = Object.entries(environment).filter((entry): entry is [string, string] =>
    entry[1] !== undefined
  );
  return new Map([...variables, ...own].filter(([name]) => name.startsWith(prefix)));
}
