/** Files that lie only in memory and vanish with the process. */

import process from "node:process";
import { closeDescriptor, memoryDescriptor } from "../linux/descriptors.ts";

interface MemoryFile {
  /** This process and its children can run the file by this path while it is open. Needs /proc. */
  readonly path: string;
  close(): void;
}

/** Throws as {@link memoryDescriptor} does. */
export function memoryFile(name: string, content: Uint8Array): MemoryFile {
  const descriptor = memoryDescriptor(name, content);
  return {
    path: `/proc/${process.pid}/fd/${descriptor}`,
    close: () => closeDescriptor(descriptor),
  };
}
