/** `98-nvidia.sh`: NVIDIA's devices and driver in the container, by nvidia-container-cli. */

import { existsSync } from "node:fs";
import { DenrootError } from "../../errors.ts";
import { runCommand } from "../../system/process/run_command.ts";
import { findProgram } from "../../system/host/find_program.ts";
import { printableText } from "../../text/printable.ts";
import type { BuiltInHook, HookContext } from "../../types/container.ts";
import { hardwareVariables } from "./hardware_variables.ts";
import { mountLine } from "./mount_line.ts";

const TOOL = "nvidia-container-cli";
const CAPABILITIES = ["compute", "compat32", "display", "graphics", "utility", "video"] as const;
const DEFAULT_CAPABILITIES = "utility";
const OFF_HINT = "To start without GPUs, set NVIDIA_VISIBLE_DEVICES=void";
/** What GPUDirect and the links between nodes need besides; not every machine has them. */
const EXTRA_DEVICES = ["/dev/gdrdrv", "/dev/nvidia-caps-imex-channels"];
const EXTRA_OPTIONS = [
  ...["x-create=auto", "bind", "ro", "nosuid", "noexec", "private"],
  ...["nofail", "silent"],
];

export const nvidiaHook: BuiltInHook = {
  name: "98-nvidia.sh",
  summary: "Gives the container NVIDIA's GPUs and driver, where nvidia-container-cli is installed.",
  when: "the host or the image sets NVIDIA_VISIBLE_DEVICES",
  reason: ({ environment }) =>
    environment["NVIDIA_VISIBLE_DEVICES"] === undefined
      ? "it acts where the image sets NVIDIA_VISIBLE_DEVICES"
      : "NVIDIA_VISIBLE_DEVICES is set",
  async run(context) {
    const variables = hardwareVariables(context, "NVIDIA_");
    const args = configureArguments(variables);
    if (args === undefined) return;
    const tool = findProgram(TOOL, context.environment);
    if (tool === undefined || !hasDriver()) return withoutGpu(context, tool !== undefined);
    if (args.includes("--compute")) mountExtras(context);
    await configure(tool, args, variables, context);
  },
};

/**
 * What nvidia-container-cli is told; undefined where the container gets no GPUs. Throws code `usage`
 * for a capability that does not exist.
 */
export function configureArguments(
  variables: ReadonlyMap<string, string>,
): readonly string[] | undefined {
  const devices = variables.get("NVIDIA_VISIBLE_DEVICES") || "void";
  if (devices === "void") return undefined;
  const option = (name: string, value: string | undefined) => value ? [`--${name}=${value}`] : [];
  const requirements = variables.get("NVIDIA_DISABLE_REQUIRE")
    ? []
    : [...variables].filter(([name]) => name.startsWith("NVIDIA_REQUIRE_"));
  return [
    ...option("device", devices === "none" ? undefined : devices),
    ...option("mig-config", variables.get("NVIDIA_MIG_CONFIG_DEVICES")),
    ...option("mig-monitor", variables.get("NVIDIA_MIG_MONITOR_DEVICES")),
    ...capabilities(variables.get("NVIDIA_DRIVER_CAPABILITIES") || DEFAULT_CAPABILITIES),
    ...requirements.flatMap(([, value]) => option("require", value)),
  ];
}

function capabilities(text: string): readonly string[] {
  const words = text.split(/[,\s]+/).filter((word) => word !== "");
  const all: readonly string[] = CAPABILITIES;
  const unknown = words.find((word) => word !== "all" && !all.includes(word));
  if (unknown !== undefined) {
    throw new DenrootError("usage", `NVIDIA's driver has no capability ${printableText(unknown)}`, {
      hint: `NVIDIA_DRIVER_CAPABILITIES may have ${CAPABILITIES.join(", ")}, or be all`,
    });
  }
  return (words.includes("all") ? all : words).map((word) => `--${word}`);
}

function hasDriver(): boolean {
  return ["/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg"].some((path) => existsSync(path));
}

/** Images for GPUs also start on a login node, unless the user asks for GPUs. */
function withoutGpu(context: HookContext, hasTool: boolean): void {
  const lacks = hasTool ? "NVIDIA's driver is not loaded here" : `${TOOL} is not installed here`;
  if (context.environment["NVIDIA_VISIBLE_DEVICES"] === undefined && !hasDriver()) {
    return context.log("warn", `The image asks for GPUs, and ${lacks}; it starts without`);
  }
  const remedy = hasTool ? "Load NVIDIA's driver" : "Install libnvidia-container-tools";
  throw new DenrootError("unsupported", `The container cannot get GPUs: ${lacks}`, {
    hint: `${remedy}. ${OFF_HINT}`,
  });
}

function mountExtras(context: HookContext): void {
  for (const path of EXTRA_DEVICES) {
    context.mount(mountLine(path, path, EXTRA_OPTIONS));
  }
}

async function configure(
  tool: string,
  args: readonly string[],
  variables: ReadonlyMap<string, string>,
  context: HookContext,
): Promise<void> {
  const { environment } = context;
  const ldconfig = findProgram("ldconfig.real", environment) ??
    findProgram("ldconfig", environment);
  const debug = variables.has("NVIDIA_DEBUG_LOG");
  const { exitCode, messages } = await runCommand(tool, [
    "--user",
    ...(debug ? ["--debug=/dev/stderr"] : []),
    "configure",
    "--no-cgroups",
    ...(ldconfig === undefined ? [] : [`--ldconfig=@${ldconfig}`]),
    ...args,
    context.root.path,
  ], { env: { ...environment, ...Object.fromEntries(variables) } });
  const log = printableText(messages.trim());
  if (exitCode !== 0) throw configureError(log, debug);
  if (debug && log !== "") context.log("info", log);
}

function configureError(log: string, debug: boolean): DenrootError {
  const more = debug ? "" : "NVIDIA_DEBUG_LOG=1 shows more of its log. ";
  return new DenrootError(
    "unsupported",
    `The container cannot get GPUs: ${log || `${TOOL} failed without a message`}`,
    { hint: `${more}${OFF_HINT}` },
  );
}
