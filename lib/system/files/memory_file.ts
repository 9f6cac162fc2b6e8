/** Files that lie only in memory and vanish with the process: memfd_create(2). */

import { Buffer } from "node:buffer";
import process from "node:process";
import { loadLibc } from "../libc.ts";
import { nativeCalls } from "../native_calls.ts";

interface MemoryFile {
  /** This process and its children can run the file by this path while it is open. Needs /proc. */
  readonly path: string;
  close(): void;
}

/** Children do not inherit the descriptor. */
const MFD_CLOEXEC = 1;
/** Since Linux 6.3. Without it a system's setting may forbid to run the file. */
const MFD_EXEC = 0x10;

/** Rejects where the system lacks such files (before Linux 3.17 and glibc 2.27) or forbids them. */
export async function memoryFile(name: string, content: Uint8Array): Promise<MemoryFile> {
  const { memfd_create } = await loadLibc({
    memfd_create: { args: ["buffer", "u32"], result: "i32" },
  });
  const native = await nativeCalls();
  const title = Buffer.from(`${name}\0`);
  let descriptor = memfd_create(title, MFD_CLOEXEC | MFD_EXEC);
  if (descriptor < 0) descriptor = memfd_create(title, MFD_CLOEXEC);
  if (descriptor < 0) throw new Error("memfd_create failed");
  for (let at = 0; at < content.length;) {
    const count = native.write(descriptor, content.subarray(at));
    if (count <= 0) {
      native.close(descriptor);
      throw new Error("there is not enough memory");
    }
    at += count;
  }
  return {
    path: `/proc/${process.pid}/fd/${descriptor}`,
    close: () => native.close(descriptor),
  };
}
