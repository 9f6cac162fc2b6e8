/** What a child writes to its standard output, as a stream of bytes. */

import fs from "node:fs";
import { nativeCalls } from "../native_calls.ts";
import { type Child, type ChildExit, type ChildOptions, spawnChild } from "./spawn_child.ts";

interface ReadableChild {
  /**
   * The next piece overwrites the one before. A reader that leaves before the end ends the child,
   * and waits for that.
   */
  readonly output: AsyncIterable<Uint8Array>;
  /** Rejects when the program could not be started, with code `not_found` or `file`. */
  readonly exited: Promise<ChildExit>;
}

const READ_SIZE = 256 * 1024;

/**
 * Runs `command` for what it writes to standard output, which is a real pipe: the program may open
 * it by name. When `signal` aborts, the child is ended, and its output with it.
 */
export async function readFromChild(
  command: string,
  args: readonly string[],
  options: Pick<ChildOptions, "env" | "signal"> = {},
): Promise<ReadableChild> {
  const native = await nativeCalls();
  // Not the runtime's own: on Bun that is a socket, which cannot be opened by name.
  const [readEnd, writeEnd] = native.pipe();
  // Opened anew by name: not every runtime's own reads take a foreign descriptor.
  const fd = fs.openSync(`/proc/self/fd/${readEnd}`, "r");
  native.close(readEnd);
  let child: Child;
  try {
    child = spawnChild(command, args, { ...options, stdout: writeEnd });
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  } finally {
    // The output ends when the last copy of this end is closed.
    native.close(writeEnd);
  }
  return { output: outputOf(child, fd), exited: child.exited };
}

async function* outputOf(child: Child, fd: number): AsyncIterable<Uint8Array> {
  let isComplete = false;
  try {
    const buffer = new Uint8Array(READ_SIZE);
    for (let count = 0; (count = await readSome(fd, buffer)) > 0;) yield buffer.subarray(0, count);
    isComplete = true;
  } finally {
    fs.closeSync(fd);
    if (!isComplete) await child.end();
  }
}

/** Must not block: the child would wait until its messages are read, and this process for it. */
function readSome(fd: number, buffer: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) =>
    fs.read(
      fd,
      buffer,
      0,
      buffer.length,
      null,
      (error, count) => error ? reject(error) : resolve(count),
    )
  );
}
