/** How much memory an import may decompress layers ahead into. */

import type { Settings } from "../config/settings.ts";
import { memoryLimit, readLimits } from "../system/host/limits.ts";
import { availableMemory } from "../system/host/memory.ts";
import type { SystemFiles } from "../system/host/system_files.ts";

/** The part of the memory that others do not need meanwhile: mksquashfs, the page cache, more imports. */
const SHARE = 1 / 4;

/** At most what the setting says, and what the machine, the control group and the limits leave. */
export function aheadBytes(settings: Pick<Settings, "maxAheadBytes">, files: SystemFiles): number {
  const available = availableMemory(files)?.bytes ?? Infinity;
  const [, limit] = memoryLimit(readLimits(files)) ?? [undefined, Infinity];
  return Math.min(settings.maxAheadBytes, Math.floor(SHARE * Math.min(available, limit)));
}
