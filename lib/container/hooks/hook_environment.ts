/** The environment of scripts that prepare a container, and the files that they read and write. */

import { meansNo } from "../../config/means_no.ts";
import { ENROOT_VERSION } from "../../system/version.ts";
import type { HookHost, StartSettings } from "../../types/container.ts";
import { makeHookLibrary } from "./hook_library.ts";

/** Which container a script prepares. */
export interface HookPlace extends HookHost {
  /** The root file system, by its path on the host. */
  readonly root: { readonly path: string };
  /** The process that becomes the container. */
  readonly pid: number;
}

/** The files that hold the container's environment and mounts for scripts. */
export function hookFiles(
  { runtimePath }: Pick<StartSettings, "runtimePath">,
): { readonly environment: string; readonly mounts: string } {
  return { environment: `${runtimePath}/environment`, mounts: `${runtimePath}/fstab` };
}

/** The host's whole environment, and what enroot's scripts find in it. */
export function hookEnvironment(
  { environment, namespaces, settings, root, pid }: HookPlace,
): Record<string, string> {
  const library = makeHookLibrary(settings.runtimePath);
  const files = hookFiles(settings);
  const flags: Record<string, boolean> = {
    ENROOT_LOGIN_SHELL: settings.loginShell,
    ENROOT_MOUNT_HOME: settings.mountHome,
    ENROOT_RESTRICT_DEV: settings.restrictDev,
    ENROOT_REMAP_ROOT: namespaces.user?.insideUid === 0,
    ENROOT_ALLOW_SUPERUSER: namespaces.user === undefined,
    ENROOT_UNSHARE_PID: namespaces.pid,
    ENROOT_UNSHARE_NET: namespaces.net,
    ENROOT_UNSHARE_IPC: namespaces.ipc,
    ENROOT_UNSHARE_UTS: namespaces.uts,
  };
  // A variable that means no is not there: scripts ask whether it is set.
  const host = Object.entries(environment).filter((entry): entry is [string, string] =>
    entry[1] !== undefined && !(entry[0] in flags) &&
    !(entry[0].startsWith("ENROOT_") && meansNo(entry[1]))
  );
  return {
    ...Object.fromEntries(host),
    ...Object.fromEntries(
      Object.keys(flags).filter((name) => flags[name]).map((name) => [name, "y"]),
    ),
    PATH: `${library}:${environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"}`,
    ENROOT_VERSION,
    ENROOT_LIBRARY_PATH: library,
    ENROOT_LIBEXEC_PATH: library,
    ENROOT_SYSCONF_PATH: settings.sysconfPath,
    ENROOT_CONFIG_PATH: settings.configPath,
    ENROOT_DATA_PATH: settings.dataPath,
    ENROOT_RUNTIME_PATH: settings.runtimePath,
    ENROOT_WORKDIR: settings.runtimePath,
    ENROOT_TEMP_PATH: settings.tempPath,
    ENROOT_PID: String(pid),
    ENROOT_ROOTFS: root.path,
    ENROOT_ENVIRON: files.environment,
    ENROOT_MOUNTS: files.mounts,
  };
}
