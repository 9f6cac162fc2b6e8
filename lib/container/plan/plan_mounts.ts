/** Decides what is mounted into a container, and in which order. */

import {
  FstabError,
  fstabLines,
  parseFstabLine,
  parseMountOption,
} from "../../enroot/parse_fstab.ts";
import { DenrootError } from "../../errors.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { PlannedMount } from "../../types/container.ts";
import { DEFAULT_MOUNTS, NET_MOUNTS, PID_MOUNTS } from "./default_files.ts";
import { planImageMounts } from "./image_mounts.ts";
import { hostValue, type PlanInputs } from "./plan_inputs.ts";
import { withDefaults } from "./with_defaults.ts";

const LINES_LIMIT = 10_000;

/** enroot's passes: before the hooks, and after them. Lines of other passes are not carried out. */
const BEFORE_HOOKS = -1;
const AFTER_HOOKS = 0;

interface PlannedMounts {
  readonly mounts: readonly PlannedMount[];
  readonly warnings: readonly string[];
}

/** Mounts of pass -1 come first: the image's, the system's, the user's, those of the namespaces. */
export function planMounts(inputs: PlanInputs): PlannedMounts {
  const { request: { namespaces, mounts: options, definedMounts }, configuration, script } = inputs;
  const { system, user } = configuration;
  const lookUp = (name: string) => hostValue(inputs, name);
  const image = planImageMounts(inputs);
  const files = [
    ...withDefaults(system.mounts, user.mounts, DEFAULT_MOUNTS),
    ...(namespaces.pid ? [{ path: "--pid", text: PID_MOUNTS }] : []),
    ...(namespaces.net ? [{ path: "--net", text: NET_MOUNTS }] : []),
  ].flatMap(({ path, text }) => tableMounts(path, text, lookUp));
  const later = [
    ...(script === undefined ? [] : tableMounts(`mounts() of ${script.path}`, script.mounts ?? "")),
    ...(definedMounts?.mounts ?? []).map((option) => optionMount(option, definedMounts!.file)),
    ...options.map((option) => optionMount(option, "--mount")),
  ];
  const all = [...image.mounts, ...files];
  return {
    mounts: [
      ...all.filter(({ pass }) => pass === BEFORE_HOOKS),
      ...[...all, ...later].filter(({ pass }) => pass === AFTER_HOOKS),
    ],
    warnings: [
      ...image.warnings,
      ...later.filter(({ pass }) => pass === BEFORE_HOOKS).map(tooLate),
    ],
  };
}

/** `references` gives the values of `${NAME}`; a script has put them in already. */
function tableMounts(
  origin: string,
  table: string,
  references?: (name: string) => string | undefined,
): PlannedMount[] {
  const lines = fstabLines(table);
  if (lines.length > LINES_LIMIT) {
    throw new DenrootError("settings", `${origin} has more than ${LINES_LIMIT} lines`);
  }
  return lines.flatMap(({ number, text }) => {
    try {
      const line = parseFstabLine(text, references);
      return line === undefined ? [] : [{ ...line, origin }];
    } catch (error) {
      if (!(error instanceof FstabError)) throw error;
      throw new DenrootError(
        "settings",
        `${origin}, line ${number}: ${quoteText(text.trim())} cannot be mounted: ${error.message}`,
        { cause: error, hint: "A line is: source target type options, and two numbers if need be" },
      );
    }
  });
}

function optionMount(option: string, origin: string): PlannedMount {
  try {
    return { ...parseMountOption(option), origin };
  } catch (error) {
    if (!(error instanceof FstabError)) throw error;
    throw new DenrootError("usage", `${origin} ${quoteText(option)} is wrong: ${error.message}`, {
      cause: error,
      hint: "An example is --mount /data:/mnt/data:none:bind,ro",
    });
  }
}

/** The hooks have run by the time at which scripts and options are asked for their mounts. */
function tooLate({ origin, source, target }: PlannedMount): string {
  return `${origin}: ${quoteText(source)} is not mounted on ${
    quoteText(target)
  }: its pass is -1, ` +
    "which only files of mounts.d and images may have";
}
