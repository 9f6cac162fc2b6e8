/** Settings for containers. */

import { type SettingDefinition, STARTING } from "./setting_definition.ts";

export const CONTAINER_SETTINGS = {
  ENROOT_LOGIN_SHELL: {
    kind: "flag",
    meaning: "A container's shell is a login shell, which reads the image's /etc/profile.",
    commands: STARTING,
    default: "yes",
  },
  ENROOT_ROOTFS_WRITABLE: {
    kind: "flag",
    meaning: "A container may write to its root file system, as with --rw.",
    commands: STARTING,
    default: "no",
    olderName: "ENROOT_ROOTFS_RW",
  },
  ENROOT_REMAP_ROOT: {
    kind: "flag",
    meaning: "The user is root inside the container, as with --root.",
    commands: STARTING,
    default: "no",
  },
  ENROOT_UNSHARE_PID: {
    kind: "flag",
    meaning: "A container sees only its own processes, as with --pid.",
    commands: STARTING,
    default: "no",
  },
  ENROOT_UNSHARE_NET: {
    kind: "flag",
    meaning: "A container has a network of its own with a loopback alone, as with --net.",
    commands: STARTING,
    default: "no",
  },
  ENROOT_UNSHARE_IPC: {
    kind: "flag",
    meaning: "A container has shared memory and message queues of its own, as with --ipc.",
    commands: STARTING,
    default: "no",
  },
  ENROOT_UNSHARE_UTS: {
    kind: "flag",
    meaning: "A container has a host name of its own, as with --uts.",
    commands: STARTING,
    default: "no",
  },
  ENROOT_ALLOW_SUPERUSER: {
    kind: "flag",
    meaning: "root starts containers without a user namespace. Such a container is not confined.",
    commands: [...STARTING, "exec"],
    default: "no",
  },
  DENROOT_LOCK_TIMEOUT: {
    kind: "seconds",
    max: 86_400,
    meaning: "A start waits this long for another start that prepares the same root file system. " +
      "0 stands for no limit.",
    commands: STARTING,
    default: "30",
  },
  ENROOT_MOUNT_HOME: {
    kind: "flag",
    meaning: "The home directory is mounted into each container.",
    commands: STARTING,
    default: "no",
  },
  ENROOT_RESTRICT_DEV: {
    kind: "flag",
    meaning: "A container gets a /dev of its own with the harmless devices alone.",
    commands: STARTING,
    default: "no",
  },
  DENROOT_IMAGE_MOUNTS: {
    kind: "choice",
    choices: ["own", "all", "none"],
    meaning: "What the /etc/fstab of an image may mount: own directories of the image and " +
      "memory, all that the user may mount, or none.",
    commands: STARTING,
    default: "own",
  },
} as const satisfies Readonly<Record<string, SettingDefinition>>;
