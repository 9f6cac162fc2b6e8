/** Settings for images that many machines share. */

import type { SettingDefinition } from "./setting_definition.ts";

const SHARING = ["share", "doctor"];

export const SHARE_SETTINGS = {
  DENROOT_SHARE_PATH: {
    kind: "path",
    meaning: "Finished images lie in this directory, for all machines that mount it.",
    commands: SHARING,
    unset: "every machine imports for itself",
  },
  DENROOT_SHARE_LOCAL_PATH: {
    kind: "path",
    meaning: "Each machine copies a shared image into this directory on a disk of its own, " +
      "and uses the copy.",
    commands: SHARING,
    unset: "the shared image itself is used",
  },
  DENROOT_SHARE_LEASE_SECONDS: {
    kind: "integer",
    min: 2,
    max: 3600,
    meaning: "A machine that gave no sign of life for this time is replaced by another one, " +
      "which then imports the image.",
    commands: SHARING,
    default: "60",
  },
  DENROOT_SHARE_LONGEST_JOB: {
    kind: "age",
    meaning: "No job runs for longer than this time, as 12h, 7d or 2w. " +
      "denroot removes no image that was asked for since.",
    commands: ["share"],
    default: "7d",
  },
  DENROOT_SHARE_MAX_BYTES: {
    kind: "bytes",
    meaning:
      "When a user's images in the share have more bytes, the least recently used ones go. " +
      "denroot looks at this after each import, and share gc does.",
    commands: ["share"],
    unset: "no limit",
  },
  DENROOT_SHARE_MAX_AGE: {
    kind: "age",
    meaning: "Images in the share that were not asked for during this time go, as with " +
      "DENROOT_SHARE_MAX_BYTES.",
    commands: ["share"],
    unset: "no limit",
  },
} as const satisfies Readonly<Record<string, SettingDefinition>>;
