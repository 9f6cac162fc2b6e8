/** Whether the enroot of this machine, if it has one, can read the images that denroot makes. */

import { Buffer } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { memoryFile } from "../system/files/memory_file.ts";
import { findProgram } from "../system/host/find_program.ts";
import { type Finding, Findings } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** An image of an empty directory, packed with zstd. */
const EMPTY_IMAGE = Buffer.from(
  "aHNxcwEAAAAAAAAAAAACAAAAAAAGABEAwQYBAAQAAAAAAAAAAAAAAKgAAAAAAAAAoAAAAAAAAAD//////////2YAAAAAAAAAiAAA" +
    "AAAAAACIAAAAAAAAAJIAAAAAAAAABIABAAAAIIABAO0BAAAAAAAAAAABAAAAAAAAAAIAAAADAAAAAgAAAAiAAAAAAAAAAACIAAAA" +
    "AAAAAASAAAAAAJoAAAAAAAAA",
  "base64",
);
const KEPT_READABLE = 'ENROOT_SQUASH_OPTIONS="-comp lzo -Xalgorithm lzo1x_1"';
const NOWHERE = "/dev/null/mount-point";

/** The programs by which enroot reads images, and the commands of enroot that need them. */
const READERS = {
  unsquashfs: { affects: "enroot create", args: (image: string) => ["-l", image] },
  // It looks at the image before it finds out that it cannot mount.
  squashfuse: { affects: "enroot start IMAGE", args: (image: string) => [image, NOWHERE] },
} as const;
type Reader = keyof typeof READERS;

/** enroot's readers on this machine, by their names; none where there is no enroot but denroot. */
export function enrootReaders(
  environment: Settings["environment"],
): Partial<Record<Reader, string>> {
  const enroot = findProgram("enroot", environment);
  if (enroot === undefined || !isScript(enroot)) return {};
  return Object.fromEntries(
    Object.keys(READERS).flatMap((name) => {
      const path = findProgram(name, environment);
      return path === undefined ? [] : [[name, path]];
    }),
  );
}

export async function checkEnroot(
  machine: Machine,
  { squashOptions }: Pick<Settings, "squashOptions">,
  readers: Partial<Record<Reader, string>>,
): Promise<Finding[]> {
  const found = new Findings("Squashfs tools");
  if (!/-comp\s+zstd\b/.test(squashOptions)) return found.list;
  for (const [name, path] of Object.entries(readers)) {
    const { affects, args } = READERS[name as Reader];
    const image = memoryFile("denroot-image", EMPTY_IMAGE);
    const complaint = await machine.complaintOf(path, args(image.path));
    image.close();
    if (complaint === undefined || !/compression/i.test(complaint)) continue;
    found.add(
      "warning",
      `enroot's ${name}`,
      [affects],
      `${path} does not read images that are packed with zstd, as denroot's are`,
      `Install a newer one, or put ${KEPT_READABLE} into enroot.conf`,
    );
  }
  return found.list;
}

/** enroot is a script; a denroot under its name is none. */
function isScript(file: string): boolean {
  try {
    const descriptor = openSync(file, "r");
    const bytes = Buffer.alloc(2);
    readSync(descriptor, bytes);
    closeSync(descriptor);
    return bytes.toString("latin1") === "#!";
  } catch {
    return false;
  }
}
