/** The lock of a container's root: only one start at a time prepares it. */

import fs from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DenrootError } from "../../errors.ts";
import { removeTree } from "../../system/files/remove_tree.ts";
import { closeDescriptor } from "../../system/linux/descriptors.ts";
import { tryLock } from "../../system/linux/file_lock.ts";
import { IMAGE_MARKS, LOCK_NAME } from "../lock_name.ts";

const { O_RDONLY, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
const POLL_MS = 20;

/** What the container shows as `/.lock`. */
export interface RootMark extends Disposable {
  /** Fit for mount(2). */
  readonly path: string;
}

/** The lock file of a root on a disk, open. */
export interface RootLock extends RootMark {
  /**
   * Throws code `busy`, with the holder, when others do not let go of it for so long; 0 stands for no
   * limit.
   */
  take(timeoutMs: number): Promise<void>;
}

/**
 * Opens the lock of the root in `directory`, and makes it where there is none. Undefined where it
 * cannot be made, as on a disk that is read-only.
 */
export async function openRootLock(directory: string): Promise<RootLock | undefined> {
  const file = `${directory}/${LOCK_NAME}`;
  const descriptor = await openFile(file);
  if (descriptor === undefined) return undefined;
  return {
    path: `/proc/self/fd/${descriptor}`,
    async take(timeoutMs) {
      const started = performance.now();
      while (!tryLock(descriptor, "alone", file)) {
        const waitedMs = performance.now() - started;
        if (timeoutMs > 0 && waitedMs >= timeoutMs) {
          throw lockedError(file, descriptor, timeoutMs);
        }
        await sleep(POLL_MS);
      }
    },
    // The lock goes with the descriptor.
    [Symbol.dispose]: () => closeDescriptor(descriptor),
  };
}

/**
 * The mark of a container that was started from an image file. An image is never written to, and needs
 * no lock; but `list -f` and `exec` know a container by this file, and its path holds the image's.
 */
export function imageMark(image: string, runtimePath: string): RootMark {
  const path = `${runtimePath}${IMAGE_MARKS}${image}`;
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.writeFileSync(path, "");
  return { path, [Symbol.dispose]() {} };
}

/** The root is the container's: what it put there instead of a file goes, and is not followed. */
async function openFile(file: string): Promise<number | undefined> {
  try {
    const found = fs.lstatSync(file, { throwIfNoEntry: false });
    if (found?.isDirectory()) await removeTree(file);
    else if (found?.isFile() === false) fs.unlinkSync(file);
    const descriptor = fs.openSync(file, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644);
    if (fs.fstatSync(descriptor).isFile()) return descriptor;
    fs.closeSync(descriptor);
  } catch { /* Then the container has no lock on a disk. */ }
  return undefined;
}

function lockedError(file: string, descriptor: number, timeoutMs: number): DenrootError {
  const holder = holderOf(descriptor);
  const who = holder === undefined ? "another process" : `process ${holder}`;
  return new DenrootError(
    "busy",
    `${file} is locked by ${who}, which has been preparing the container for over ${
      timeoutMs / 1000
    } seconds`,
    { hint: "End that process if it hangs: it may wait for a hook. Or set DENROOT_LOCK_TIMEOUT" },
  );
}

/** The process that has the lock, from the lines of /proc/locks: `1: FLOCK ADVISORY WRITE 12 08:01:4711 0 EOF`. */
function holderOf(descriptor: number): string | undefined {
  const { ino } = fs.fstatSync(descriptor);
  const line = fs.readFileSync("/proc/locks", "utf8").split("\n")
    .find((line) => line.includes(" FLOCK ") && line.includes(`:${ino} `));
  return line && /\sWRITE\s+(\d+)\s/.exec(line)?.[1];
}
