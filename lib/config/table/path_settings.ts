/** Settings that name directories. */

import { FETCHING, type SettingDefinition, STARTING } from "./setting_definition.ts";

export const PATH_SETTINGS = {
  ENROOT_SYSCONF_PATH: {
    kind: "path",
    meaning: "The site's enroot.conf lies in this directory, with environ.d, hooks.d and mounts.d.",
    commands: [
      ...new Set([...FETCHING, ...STARTING]),
      ...["create", "exec", "list", "remove", "export", "hooks", "cache", "info"],
    ],
    // The loader looks for the directory before it can read any setting.
    default: "/etc/enroot",
  },
  ENROOT_CONFIG_PATH: {
    kind: "path",
    meaning: "Your .credentials lie in this directory, with your environ.d, hooks.d and mounts.d.",
    commands: [...new Set([...FETCHING, ...STARTING]), "hooks"],
    default: {
      shown: "$XDG_CONFIG_HOME/enroot",
      compute: ({ variable }) =>
        `${variable("XDG_CONFIG_HOME") ?? `${variable("HOME") ?? ""}/.config`}/enroot`,
    },
  },
  ENROOT_CACHE_PATH: {
    kind: "path",
    meaning:
      "denroot keeps layers and images in this directory. Users and machines may share it, also over a network.",
    commands: [
      ...["import", "run", "load", "share", "create", "export", "copy", "sync", "verify"],
      ...["inspect", "tags", "doctor", "cache"],
    ],
    default: {
      shown: "$XDG_CACHE_HOME/enroot",
      compute: ({ variable }) =>
        `${variable("XDG_CACHE_HOME") ?? `${variable("HOME") ?? ""}/.cache`}/enroot`,
    },
  },
  ENROOT_TEMP_PATH: {
    kind: "path",
    meaning: "share puts an image here that it makes for this machine alone, and hooks find the " +
      "variable. An import needs no such directory, because it unpacks nothing on the way.",
    commands: ["share", ...STARTING, "doctor"],
    default: {
      shown: "$TMPDIR, else /tmp",
      compute: ({ variable }) => variable("TMPDIR") ?? "/tmp",
    },
  },
  ENROOT_DATA_PATH: {
    kind: "path",
    meaning: "Containers lie in this directory.",
    commands: ["create", "load", ...STARTING, "list", "remove", "export", "doctor"],
    default: {
      shown: "$XDG_DATA_HOME/enroot",
      compute: ({ variable }) =>
        `${variable("XDG_DATA_HOME") ?? `${variable("HOME") ?? ""}/.local/share`}/enroot`,
    },
  },
  ENROOT_RUNTIME_PATH: {
    kind: "path",
    meaning: "The files that a starting container needs lie in this directory. Each container " +
      "has a file system of its own there, in memory. Where it is not set and the default cannot " +
      "be made, a directory of yours below ENROOT_TEMP_PATH serves instead.",
    commands: [...STARTING, "doctor"],
    default: {
      shown: "$XDG_RUNTIME_DIR/enroot",
      compute: ({ variable }) => `${variable("XDG_RUNTIME_DIR") ?? "/run"}/enroot`,
    },
  },
} as const satisfies Readonly<Record<string, SettingDefinition>>;
