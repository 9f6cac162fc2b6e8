/** Whether a user without privileges can start containers here. */

import type { Settings } from "../config/settings.ts";
import { BUILT_IN_HOOKS } from "../container/hooks/built_in_hooks.ts";
import { type HookFile, readConfiguration } from "../container/plan/configuration.ts";
import { FUSE_HINT } from "../container/within/fuse_hint.ts";
import { messageOf } from "../errors.ts";
import { hasUserNamespaces } from "../system/host/namespaces.ts";
import { type Finding, Findings } from "./finding.ts";
import type { Machine } from "./machine.ts";

const START = ["start"];
const IMAGE_FILE = ["start FILE"];
const NAMESPACES = "User namespaces";
/** A script of bash, by its first line. */
const BASH_SCRIPT = /^#!\s*\S*(?:\/|env\s+(?:-\S+\s+)*)bash\b/;
/** What stands in all files of enroot's package. */
const ENROOTS_MARK = /^# Copyright .*NVIDIA CORPORATION/m;

export async function checkContainers(machine: Machine, settings: Settings): Promise<Finding[]> {
  const found = new Findings("Containers");
  if (hasUserNamespaces(machine)) await checkTrial(found, machine, settings);
  else found.add("warning", NAMESPACES, START, "this kernel has none", KERNEL);
  checkMemoryPrograms(found, machine);
  checkHooks(found, machine, settings);
  return found.list;
}

const KERNEL = "Start containers on a machine whose kernel has user namespaces (CONFIG_USER_NS)";

/** Settings, security modules and filters can all forbid it: only a trial tells. */
async function checkTrial(found: Findings, machine: Machine, settings: Settings): Promise<void> {
  const trial = await machine.tryContainer(settings);
  if ("refusal" in trial) {
    return found.add("warning", NAMESPACES, START, trial.refusal, trial.hint);
  }
  found.ok(NAMESPACES, START, "a container's namespaces were entered, and memory mounted");
  if (trial.overlay) {
    found.ok("Overlay", START, "this user can mount one: read-only starts change no container");
  } else {
    found.add(
      "warning",
      "Overlay",
      START,
      "this user can mount none: hooks of a read-only start change the container's directory",
      "It takes Linux 5.11 or later. Until then image files need the program fuse-overlayfs, or " +
        "--unpack",
    );
  }
  if (trial.fuse === undefined) {
    found.ok("FUSE", IMAGE_FILE, "/dev/fuse can be opened: image files start without unpacking");
  } else {
    found.add(
      "warning",
      "FUSE",
      IMAGE_FILE,
      `no image file can be mounted: ${trial.fuse}`,
      FUSE_HINT,
    );
  }
}

function checkMemoryPrograms(found: Findings, machine: Machine): void {
  if (machine.read("/proc/sys/vm/memfd_noexec") !== "2") return;
  found.add(
    "note",
    "Programs in memory",
    START,
    "vm.memfd_noexec = 2 forbids them: denroot puts its own into ENROOT_CACHE_PATH",
  );
}

function checkHooks(found: Findings, machine: Machine, settings: Settings): void {
  let hooks: readonly HookFile[];
  try {
    const { system, user } = readConfiguration(settings);
    hooks = [...system.hooks, ...user.hooks].filter((hook) => hook.isExecutable && !hook.isEmpty);
  } catch (error) {
    return found.add("warning", "Hooks", START, messageOf(error));
  }
  checkBash(found, machine, hooks, settings);
  const own = new Set(BUILT_IN_HOOKS.map(({ name }) => name));
  const slow = hooks.filter(({ name, path }) =>
    own.has(name) && ENROOTS_MARK.test(machine.read(path) ?? "")
  ).map(({ path }) => path);
  if (slow.length === 0) return;
  found.add(
    "note",
    "Hooks",
    START,
    `enroot's own scripts take the place of built-in hooks, which are much faster: ${
      slow.join(", ")
    }`,
    `Remove them: rm ${slow.join(" ")}`,
  );
}

function checkBash(
  found: Findings,
  machine: Machine,
  hooks: readonly HookFile[],
  { environment }: Settings,
): void {
  const bash = machine.findProgram("bash", environment);
  const needing = hooks.find(({ path }) => BASH_SCRIPT.test(machine.read(path) ?? ""));
  if (bash !== undefined) return found.ok("bash", START, bash);
  found.add(
    needing === undefined ? "note" : "warning",
    "bash",
    START,
    needing === undefined
      ? "this machine has none: only configuration scripts and hooks in bash need it"
      : `this machine has none, and ${needing.path} needs it`,
    needing === undefined ? undefined : "Install bash, or make that file not executable",
  );
}
