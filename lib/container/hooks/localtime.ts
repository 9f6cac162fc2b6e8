/** `10-localtime.sh`: the container has the host's time zone. */

import { readFileSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import type { BuiltInHook, RootedFiles } from "../../types/container.ts";
import { whereAllowed } from "./where_allowed.ts";

const PATH = "/etc/localtime";

export const localtimeHook: BuiltInHook = {
  name: "10-localtime.sh",
  summary: "Gives the container the host's time zone.",
  when: "the host's /etc/localtime is a link",
  reason: () => hostZone() === undefined ? undefined : `the host's ${PATH} is a link`,
  run({ root }) {
    const zone = hostZone();
    // An image may have a directory in this place; that image knows why.
    if (zone === undefined || root.kind(PATH) === "directory") return;
    whereAllowed(() => {
      root.makeLink(PATH, zone);
      addZone(root, posix.resolve("/etc", zone));
    });
  },
};

/** The link's target: below `/usr/share/zoneinfo`. */
function hostZone(): string | undefined {
  try {
    return readlinkSync(PATH);
  } catch {
    return undefined;
  }
}

/** Images without tzdata lack the zone's own file. */
function addZone(root: RootedFiles, path: string): void {
  if (root.permissions(path) !== undefined) return;
  let content: Uint8Array;
  try {
    content = readFileSync(PATH);
  } catch {
    return;
  }
  root.write(path, content, 0o644);
}
