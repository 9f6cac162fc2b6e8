/** `10-home.sh`: the user's home directory is mounted into the container. */

import type { BuiltInHook } from "../../types/container.ts";
import { mountLine } from "./mount_line.ts";
import { hostUser } from "./shadow.ts";

export const homeHook: BuiltInHook = {
  name: "10-home.sh",
  summary: "Mounts the user's home directory into the container.",
  when: "ENROOT_MOUNT_HOME is set",
  reason: ({ settings }) => settings.mountHome ? "ENROOT_MOUNT_HOME is set" : undefined,
  async run(context) {
    const home = context.environment["HOME"] || (await hostUser(context)).user.home;
    const target = context.namespaces.user?.insideUid === 0 ? "/root" : home;
    // In a user namespace the kernel refuses to bind a tree without the mounts below it.
    const options = ["x-create=dir", "rbind", "rw", "nosuid"];
    context.mountLater(mountLine(home, target, options));
    context.setVariable("HOME", target);
  },
};
