/** `10-aptfix.sh`: apt works in a container with one user. */

import { Buffer } from "node:buffer";
import type { BuiltInHook } from "../../types/container.ts";
import { readText } from "./read_text.ts";
import { whereAllowed } from "./where_allowed.ts";

const PATH = "/etc/apt/apt.conf.d/enroot";
const CONTENT = 'APT::Sandbox::User "root";\n';

export const aptfixHook: BuiltInHook = {
  name: "10-aptfix.sh",
  summary: "Lets apt work in images of Debian and Ubuntu where the user is root.",
  when: "the user is root in the container",
  reason: ({ namespaces }) =>
    namespaces.user?.insideUid === 0 ? "the user is root in the container" : undefined,
  run({ root }) {
    using debian = root.hold("/etc/debian_version");
    if (debian === undefined || readText(root, PATH, CONTENT.length) === CONTENT) return;
    whereAllowed(() => root.write(PATH, Buffer.from(CONTENT), 0o644));
  },
};
