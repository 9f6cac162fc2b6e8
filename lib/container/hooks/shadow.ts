/** `10-shadow.sh`: the user, root and nobody exist in the container, and the user has a home. */

import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { type Account, accounts } from "../../system/host/accounts.ts";
import type { BuiltInHook, HookContext, HookHost, RootedFiles } from "../../types/container.ts";
import { parseDefinitions } from "../command/login_files.ts";
import {
  type ContainerGroup,
  type ContainerUser,
  mergeGroup,
  mergePasswd,
  mergeShadow,
} from "./account_tables.ts";
import { makeHome } from "./home_directory.ts";
import { mountLine } from "./mount_line.ts";
import { readText } from "./read_text.ts";
import { whereAllowed } from "./where_allowed.ts";

/** Tables of large sites have some thousands of lines. */
const TABLE_LIMIT_BYTES = 16 * 1024 * 1024;
const SETTINGS_LIMIT_BYTES = 256 * 1024;
const TABLE_MODE = 0o644;
const STANDARD_HOMES: Readonly<Record<string, string>> = { root: "/root", nobody: "/" };
const DEFAULT_SHELL = "/bin/sh";
/** A container has no files of other users: what the kernel shows in their place is nobody's. */
const DEFAULT_NOBODY = 65534;

export const shadowHook: BuiltInHook = {
  name: "10-shadow.sh",
  summary: "Adds root, nobody and the user to the container's users, and makes the user's home.",
  when: "any container starts",
  reason: () => "every container has its user",
  async run(context) {
    const { user, group } = await hostUser(context);
    const settings = readDefaults(context.root);
    const shell = isExecutable(context.root, user.shell)
      ? user.shell
      : settings.get("SHELL") ?? DEFAULT_SHELL;
    const nobody = {
      name: "nobody",
      ...overflowIds(),
      comment: "nobody",
      home: STANDARD_HOMES.nobody!,
    };
    const users: readonly ContainerUser[] = [
      { name: "root", uid: 0, gid: 0, comment: "root", home: STANDARD_HOMES.root!, shell },
      { ...nobody, shell: "/sbin/nologin" },
      // As in enroot, root and nobody live where every container has them.
      { ...user, shell, home: STANDARD_HOMES[user.name] ?? user.home },
    ];
    const groups: readonly ContainerGroup[] = [
      { name: "root", gid: 0 },
      { name: "nogroup", gid: nobody.gid },
      { name: group, gid: user.gid },
    ];
    update(context, "passwd", (table) => mergePasswd(table, users));
    update(context, "group", (table) => mergeGroup(table, groups));
    whereAllowed(() => updateShadow(context.root, users.map(({ name }) => name)));
    const { home } = users.at(-1)!;
    if (!whereAllowed(() => makeHome(context.root, { name: user.name, home }, settings))) {
      context.log("warn", `The user's home cannot be made in the container: ${home}`);
    }
  },
};

/**
 * The user by the id that the host knows. Where the host knows none, as in many pods, the
 * environment says how the user is called.
 */
export async function hostUser(
  host: HookHost,
): Promise<{ readonly user: Account; readonly group: string }> {
  const { namespaces: { user: map }, environment } = host;
  const uid = map?.outsideUid ?? process.getuid!();
  const gid = map?.outsideGid ?? process.getgid!();
  const known = await accounts();
  const user = known.user(uid) ?? {
    name: environment["USER"] || "user",
    uid,
    gid,
    comment: "",
    home: environment["HOME"] || "/",
    shell: DEFAULT_SHELL,
  };
  return { user: { ...user, uid, gid }, group: known.group(gid) ?? user.name };
}

function overflowIds(): { readonly uid: number; readonly gid: number } {
  return { uid: overflowId("uid"), gid: overflowId("gid") };
}

function overflowId(kind: "uid" | "gid"): number {
  try {
    return Number(readFileSync(`/proc/sys/kernel/overflow${kind}`, "utf8")) || DEFAULT_NOBODY;
  } catch {
    return DEFAULT_NOBODY;
  }
}

/** The image's own defaults for new users: login.defs(5), and those of useradd(8), which win. */
function readDefaults(root: RootedFiles): ReadonlyMap<string, string> {
  const definitions = readText(root, "/etc/login.defs", SETTINGS_LIMIT_BYTES) ?? "";
  const useradd = readText(root, "/etc/default/useradd", SETTINGS_LIMIT_BYTES) ?? "";
  return new Map([...parseDefinitions(definitions), ...parseDefinitions(useradd)]);
}

function isExecutable(root: RootedFiles, path: string): boolean {
  return path.startsWith("/") && ((root.permissions(path) ?? 0) & 0o111) !== 0;
}

/**
 * A link or anything else in the table's place gives way: it could lead anywhere. In a root of another
 * user's, the new table is mounted on the old one.
 */
function update(context: HookContext, name: string, change: (table: string) => string): void {
  const { root, settings } = context;
  const path = `/etc/${name}`;
  const table = readTable(root, path) ?? "";
  const changed = change(table);
  if (changed === table && root.kind(path) === "file") return;
  const content = Buffer.from(changed, "latin1");
  if (whereAllowed(() => root.write(path, content, TABLE_MODE))) return;
  const source = `${settings.runtimePath}/${name}`;
  writeFileSync(source, content, { mode: TABLE_MODE });
  const options = ["bind", "ro", "nosuid", "nodev", "noexec", "private"];
  context.mount(mountLine(source, path, options));
}

/** An image without a shadow table needs none. Its permissions stay as they are. */
function updateShadow(root: RootedFiles, names: readonly string[]): void {
  const path = "/etc/shadow";
  const table = root.kind(path) === "file" ? readTable(root, path) : undefined;
  if (table === undefined) return;
  const changed = mergeShadow(table, names);
  if (changed === table) return;
  root.write(path, Buffer.from(changed, "latin1"), root.permissions(path) ?? 0o640);
}

/** Undefined also where the user may not read it: enroot leaves such tables in its containers. */
function readTable(root: RootedFiles, path: string): string | undefined {
  let bytes: Uint8Array | undefined;
  whereAllowed(() => void (bytes = root.read(path, TABLE_LIMIT_BYTES)));
  return bytes && Buffer.from(bytes).toString("latin1");
}
