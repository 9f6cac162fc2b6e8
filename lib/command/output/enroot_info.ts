/** What `info` prints under the name enroot: enroot's own lines, which scripts read. */

import type { Settings } from "../../../mod.ts";
import { ENROOT_VERSION } from "../../system/version.ts";
import { printableLine } from "../../text/printable.ts";

/** Every variable of enroot that has a value, sorted. As in enroot, one that means no has none. */
export function enrootInfo(
  { entries, environment, sysconfPath }: Pick<
    Settings,
    "entries" | "environment" | "sysconfPath"
  >,
): string {
  const variables = new Map([["ENROOT_VERSION", ENROOT_VERSION]]);
  for (const { name, value } of entries) {
    if (!name.startsWith("ENROOT_") || value === "" || value === "no") continue;
    // A flag keeps the word with which it was set.
    variables.set(name, value === "yes" ? environment[name] ?? "true" : value);
  }
  return [
    `Enroot version: ${ENROOT_VERSION}`,
    `Config file: ${printableLine(sysconfPath)}/enroot.conf`,
    "",
    "Environment variables:",
    ...[...variables].sort(([one], [other]) => one < other ? -1 : 1)
      .map(([name, value]) => `  ${name}=${printableLine(value)}`),
  ].join("\n");
}
