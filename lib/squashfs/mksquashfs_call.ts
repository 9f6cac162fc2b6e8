/** The arguments and the environment with which mksquashfs makes an image of a tar stream. */

import type { Mksquashfs } from "../tools/find_tools.ts";

export interface SquashSettings {
  readonly mksquashfs: Mksquashfs;
  /** The user's options, as words separated by white space. */
  readonly squashOptions: string;
  readonly processors: number;
  /** Permission bits of the root directory. */
  readonly rootMode: number;
  /**
   * The time of the file system and of its root directory, in seconds since 1970. A mksquashfs that
   * does not `setsRootTime` also caps the times of files by it.
   */
  readonly time: number;
  /** Whether a limit on memory holds here: mksquashfs then takes less address space. */
  readonly savesMemory?: boolean;
}

/** Memory for mksquashfs's queues. */
const BASE_MEMORY_MB = 64;
const PROCESSOR_MEMORY_MB = 8;
/** Options with which the user fixes times: denroot's own would contradict them. */
const TIME_OPTIONS = new Set(["-mkfs-time", "-fstime", "-all-time", "-root-time"]);

/** Splits as a shell splits an unquoted variable. */
export function splitOptions(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** What of the settings makes the arguments. */
type ArgumentSettings = Omit<SquashSettings, "mksquashfs"> & {
  readonly mksquashfs: Pick<Mksquashfs, "setsRootTime">;
};

/** Arguments for a tar stream on standard input and an image in the file `output`. */
export function mksquashfsArguments(output: string, settings: ArgumentSettings): string[] {
  const user = splitOptions(settings.squashOptions);
  const { processors, rootMode, time } = settings;
  const ours = [
    "-tar",
    // Its search for duplicates mixes up files when it reads a tar.
    "-no-duplicates",
    "-all-root",
    "-root-mode",
    rootMode.toString(8),
    "-no-progress",
    "-quiet",
    "-processors",
    String(processors),
    "-mem",
    packingMemory(processors),
  ];
  if (settings.mksquashfs.setsRootTime && !fixesTimes(user)) {
    ours.push("-mkfs-time", String(time), "-root-time", String(time));
  }
  // The user's options come last: one without its value then cannot swallow one of ours.
  return ["-", output, ...ours, ...user];
}

/**
 * How much memory mksquashfs may take for its queues. By default it takes a quarter of the machine's,
 * which costs more than it helps.
 */
export function packingMemory(processors: number): string {
  return `${BASE_MEMORY_MB + processors * PROCESSOR_MEMORY_MB}M`;
}

/** The whole environment. */
export function mksquashfsEnvironment(settings: SquashSettings): Record<string, string> {
  const user = splitOptions(settings.squashOptions);
  const fixed = settings.mksquashfs.setsRootTime || fixesTimes(user);
  return {
    ...(!fixed && { SOURCE_DATE_EPOCH: String(settings.time) }),
    // By default glibc reserves 64 MiB for each of the many threads.
    ...(settings.savesMemory && { MALLOC_ARENA_MAX: "1" }),
  };
}

function fixesTimes(words: readonly string[]): boolean {
  return words.some((word) => TIME_OPTIONS.has(word));
}
