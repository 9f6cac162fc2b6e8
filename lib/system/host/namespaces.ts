/** What the kernel's settings say about user namespaces. */

import type { SystemFiles } from "./system_files.ts";

/** A kernel setting (sysctl(8)) and its value. */
interface KernelSetting {
  readonly name: string;
  readonly value: string;
}

/** The values that forbid user namespaces to ordinary users, and one that would allow them. */
const SETTINGS: readonly { name: string; forbids: string; allows: string }[] = [
  { name: "user.max_user_namespaces", forbids: "0", allows: "65536" },
  { name: "user.max_mnt_namespaces", forbids: "0", allows: "65536" },
  // Debian's and Ubuntu's kernels only.
  { name: "kernel.unprivileged_userns_clone", forbids: "0", allows: "1" },
  // AppArmor; a profile may still allow them to single programs.
  { name: "kernel.apparmor_restrict_unprivileged_userns", forbids: "1", allows: "0" },
];

/** Whether this kernel was built with user namespaces. */
export function hasUserNamespaces(files: SystemFiles): boolean {
  return files.exists("/proc/self/ns/user");
}

/**
 * The settings that forbid user namespaces, each with the value that would allow them. Seccomp
 * filters and security modules may forbid them as well, and have no setting.
 */
export function forbiddingSettings(
  files: SystemFiles,
): readonly { readonly found: KernelSetting; readonly wanted: KernelSetting }[] {
  return SETTINGS
    .filter(({ name, forbids }) => files.read(settingFile(name)) === forbids)
    .map(({ name, forbids, allows }) => ({
      found: { name, value: forbids },
      wanted: { name, value: allows },
    }));
}

function settingFile(name: string): string {
  return `/proc/sys/${name.replaceAll(".", "/")}`;
}
