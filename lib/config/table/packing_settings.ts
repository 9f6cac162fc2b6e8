/** Settings for the making of an image file. */

import { PACKING, type SettingDefinition } from "./setting_definition.ts";

const OWN_TOOL = "denroot's own, else the one on PATH";
/** squashfs stores times as 32 bits. */
const LAST_SQUASHFS_TIME = 2 ** 32 - 1;

export const PACKING_SETTINGS = {
  ENROOT_SQUASH_OPTIONS: {
    kind: "text",
    meaning: "mksquashfs gets these options.",
    commands: [...PACKING, "export", "inspect"],
    default: "-comp zstd -Xcompression-level 1",
    olderName: "ENROOT_SQUASH_OPTS",
  },
  ENROOT_MAX_PROCESSORS: {
    kind: "integer",
    min: 0,
    max: 65_536,
    meaning: "mksquashfs, unsquashfs and denroot's threads use at most this many processors. " +
      "0 stands for all that the process may use.",
    commands: [...PACKING, "start", "batch", "create", "load", "export"],
    default: {
      shown: "all that the process may use",
      compute: ({ processors }) => String(processors),
    },
  },
  ENROOT_FORCE_OVERRIDE: {
    kind: "flag",
    meaning:
      "An existing image file or container is replaced, and remove does not ask, as with --force.",
    commands: ["import", "create", "load", "remove", "export"],
    default: "no",
  },
  DENROOT_MAX_IMAGE_BYTES: {
    kind: "bytes",
    meaning: "The layers of an image have at most this many bytes together, uncompressed. " +
      "K, M, G and T stand for powers of 1024.",
    commands: ["import", "run", "load", "share"],
    default: "1T",
    note: "uncompressed",
  },
  DENROOT_MAX_AHEAD_BYTES: {
    kind: "bytes",
    meaning:
      "Layers are decompressed ahead of the packing into at most this much memory, and into " +
      "a quarter of what is available at most. K, M, G and T stand for powers of 1024.",
    commands: ["import", "run", "load", "share"],
    default: {
      shown: "32M for each processor that denroot uses, 16M for up to two",
      compute: ({ processors, variable }) => {
        const used = Number(variable("ENROOT_MAX_PROCESSORS")) || processors;
        return used <= 2 ? "16M" : `${used * 32}M`;
      },
    },
  },
  DENROOT_MKSQUASHFS: {
    kind: "text",
    meaning: "This mksquashfs makes the image file. It must be version 4.5 or later.",
    commands: [...PACKING, "export"],
    unset: OWN_TOOL,
  },
  DENROOT_UNSQUASHFS: {
    kind: "text",
    meaning: "This unsquashfs reads image files. It must be version 4.5 or later.",
    commands: [...PACKING, "start", "batch", "create"],
    unset: OWN_TOOL,
  },
  SOURCE_DATE_EPOCH: {
    kind: "integer",
    min: 0,
    max: LAST_SQUASHFS_TIME,
    meaning: "Every file in the image gets this time, in seconds since 1970.",
    commands: ["import", "run", "load", "share"],
    unset: "files keep their times",
  },
  ENROOT_GZIP_PROGRAM: {
    kind: "text",
    meaning: "It has no effect, because denroot decompresses by itself.",
    commands: [],
    default: "gzip",
    olderName: "ENROOT_GZIP_PROG",
    note: "no effect: denroot decompresses by itself",
  },
  ENROOT_ZSTD_OPTIONS: {
    kind: "text",
    meaning: "It has no effect, because denroot caches layers as the registry stores them.",
    commands: [],
    default: "-1",
    note: "no effect: layers are cached as the registry stores them",
  },
} as const satisfies Readonly<Record<string, SettingDefinition>>;
