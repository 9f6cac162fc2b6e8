/** `99-mellanox.sh`: which of Mellanox's network adapters a container sees. */

import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import { DenrootError } from "../../errors.ts";
import { printableText } from "../../text/printable.ts";
import type { BuiltInHook, HookContext, MountLine } from "../../types/container.ts";
import { hardwareVariables } from "./hardware_variables.ts";
import { mountLine } from "./mount_line.ts";

const VARIABLE = "MELLANOX_VISIBLE_DEVICES";
const CLASSES = ["infiniband", "infiniband_verbs", "infiniband_cm", "infiniband_mad"] as const;
const CONNECTION_MANAGER = "/dev/infiniband/rdma_cm";
const DEVICE = ["x-create=file", "bind", "ro", "nosuid", "noexec", "private"];

/** One adapter, as the kernel's drivers `mlx4_core` and `mlx5_core` have it. */
export interface Adapter {
  /** Names below `/sys/class`, by their class. */
  readonly classNames: ReadonlyMap<typeof CLASSES[number], readonly string[]>;
  /** Devices that everybody may use: `/dev/infiniband/uverbs0`. */
  readonly devices: readonly string[];
  /** Devices that manage the network: `umad0`, `issm0`. */
  readonly managementDevices: readonly string[];
}

export const mellanoxHook: BuiltInHook = {
  name: "99-mellanox.sh",
  summary: "Shows the container the Mellanox adapters that it asks for, and hides the others.",
  when: "the host or the image sets MELLANOX_VISIBLE_DEVICES",
  reason: ({ environment }) =>
    environment[VARIABLE] === undefined
      ? `it acts where the image sets ${VARIABLE}`
      : `${VARIABLE} is set`,
  run(context) {
    const wish = hardwareVariables(context, "MELLANOX_").get(VARIABLE) || "void";
    if (wish === "void" || wish === "none") return;
    const adapters = findAdapters("/sys");
    if (adapters.length === 0 && wish === "all") {
      return context.log("warn", "This machine has no Mellanox adapters");
    }
    const chosen = chooseAdapters(adapters, wish);
    const classes = CLASSES.filter((name) => existsSync(`/sys/class/${name}`));
    for (const line of maskMounts(classes)) context.mount(line);
    const manages = context.namespaces.user === undefined;
    for (const adapter of chosen) show(adapter, manages, context);
  },
};

/** In the order of the kernel's own lists. */
export function findAdapters(sys: string): readonly Adapter[] {
  const drivers = ["mlx4_core", "mlx5_core"].map((name) => join(sys, "bus/pci/drivers", name));
  return drivers.flatMap((driver) => sortedNames(driver).map((name) => join(driver, name)))
    .filter((device) => sortedNames(join(device, "infiniband_verbs")).length > 0)
    .map((device) => {
      const classNames = new Map(CLASSES.map((name) => [name, sortedNames(join(device, name))]));
      const devices = (kind: typeof CLASSES[number]) =>
        classNames.get(kind)!.flatMap((name) => deviceOf(join(device, kind, name, "uevent")) ?? []);
      return {
        classNames,
        devices: devices("infiniband_verbs"),
        managementDevices: devices("infiniband_mad"),
      };
    });
}

/** `wish` is `all`, or numbers with commas between. Throws code `usage` for a number too high. */
export function chooseAdapters(adapters: readonly Adapter[], wish: string): readonly Adapter[] {
  if (wish === "all") return adapters;
  return wish.split(",").filter((word) => word !== "").map((word) => {
    const adapter = /^\d{1,4}$/.test(word) ? adapters[Number(word)] : undefined;
    if (adapter !== undefined) return adapter;
    throw new DenrootError("usage", `This machine has no Mellanox adapter ${printableText(word)}`, {
      hint: adapters.length === 0
        ? `It has none at all; unset ${VARIABLE}`
        : `${VARIABLE} may have the numbers 0 to ${adapters.length - 1}, or be all`,
    });
  });
}

/** Hides all adapters. What programs need of each class stays. */
function maskMounts(classes: readonly string[]): readonly MountLine[] {
  const mask = ["nosuid", "noexec", "nodev", "mode=755", "private"];
  const file = [...DEVICE, "nodev", "nofail", "silent"];
  const bind = (path: string, options: readonly string[]) => mountLine(path, path, options);
  return [
    ...classes.map((name) => mountLine("tmpfs", `/sys/class/${name}`, mask, "tmpfs")),
    ...classes.filter((name) => name !== "infiniband")
      .map((name) => bind(`/sys/class/${name}/abi_version`, file)),
    bind(CONNECTION_MANAGER, [...DEVICE, "nofail", "silent"]),
  ];
}

function show(adapter: Adapter, manages: boolean, context: HookContext): void {
  const devices = [...adapter.devices, ...(manages ? adapter.managementDevices : [])];
  for (const path of devices) {
    context.mount(mountLine(path, path, DEVICE));
  }
  for (const [kind, names] of adapter.classNames) {
    const isManagement = kind === "infiniband_mad" || kind === "infiniband_cm";
    if (isManagement && !manages) continue;
    for (const name of names) {
      const path = `/sys/class/${kind}/${name}`;
      if (existsSync(path)) context.root.makeLink(path, realpathSync(path));
    }
  }
}

/** A line of `uevent` names the device, below `/dev`. */
function deviceOf(uevent: string): string | undefined {
  try {
    const name = /^DEVNAME=([\w/-]+)$/m.exec(readFileSync(uevent, "utf8"))?.[1];
    return name && `/dev/${name}`;
  } catch {
    return undefined;
  }
}

function sortedNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory).map((name) => basename(name)).sort();
  } catch {
    return [];
  }
}
