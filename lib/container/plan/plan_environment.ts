/** Decides which variables a container has, and from where. */

import {
  type EnvironmentLine,
  isReserved,
  parseEnvironment,
  parseEnvironmentOption,
  parseVariable,
} from "../../enroot/parse_environment.ts";
import { DenrootError } from "../../errors.ts";
import { REPLACEMENT } from "../../system/files/real_names.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { PlannedVariable } from "../../types/container.ts";
import { DEFAULT_ENVIRONMENT } from "./default_files.ts";
import { hostValue, type PlanInputs } from "./plan_inputs.ts";
import { withDefaults } from "./with_defaults.ts";

/** Later variables win over earlier ones: those of the options come last. */
export function planEnvironment(
  inputs: PlanInputs,
): { readonly variables: readonly PlannedVariable[]; readonly warnings: readonly string[] } {
  const { request, image, configuration: { system, user }, script } = inputs;
  const notUtf8 = new Set<string>();
  const lookUp = (name: string) => {
    const value = hostValue(inputs, name);
    if (value?.includes(REPLACEMENT)) notUtf8.add(name);
    return value;
  };
  const files = [
    { path: "/etc/environment of the image", text: image.environment ?? "" },
    ...withDefaults(system.environment, user.environment, DEFAULT_ENVIRONMENT),
  ];
  const options = request.environment.map((word) => variableOf(word, lookUp));
  const variables = [
    ...files.flatMap(({ path, text }) => from(path, parseEnvironment(text, lookUp))),
    ...from(`environ() of ${script?.path}`, parseEnvironment(script?.environment ?? "")),
    ...request.environmentFiles.flatMap(({ path, text }) =>
      from(path, parseEnvironmentOption(text, lookUp))
    ),
    ...from("--env", options.filter(({ name }) => !isReserved(name))),
  ];
  return {
    variables,
    warnings: [
      ...options.filter(({ name }) => isReserved(name))
        .map(({ name }) => `--env ${name} has no effect: containers get no ENROOT_ variables`),
      ...[...notUtf8].map((name) => `The host's ${name} is not UTF-8: some bytes become U+FFFD`),
    ],
  };
}

function from(origin: string, lines: readonly EnvironmentLine[]): PlannedVariable[] {
  return lines.map(({ name, value }) => ({ name, value, origin }));
}

/** The value stays out of the message: it may be a secret. */
function variableOf(
  word: string,
  lookUp: (name: string) => string | undefined,
): EnvironmentLine {
  const variable = parseVariable(word, lookUp);
  if (variable !== undefined) return variable;
  throw new DenrootError(
    "usage",
    `--env ${quoteText(word.split("=", 1)[0]!)} does not begin with the name of a variable`,
    { hint: "A name has letters, digits and underscores, and begins with no digit" },
  );
}
