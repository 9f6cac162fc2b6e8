/** Which C library the process runs on. */

import { loadLibc } from "../libc.ts";

/** `_CS_GNU_LIBC_VERSION` of confstr(3). */
const GNU_LIBC_VERSION = 2;
const MAX_BYTES = 64;

/** `glibc 2.36`; undefined for another C library. */
export async function libcVersion(): Promise<string | undefined> {
  const buffer = new Uint8Array(MAX_BYTES);
  try {
    const { confstr } = await loadLibc({
      confstr: { args: ["i32", "buffer", "usize"], result: "isize" },
    });
    const length = confstr(GNU_LIBC_VERSION, buffer, BigInt(MAX_BYTES));
    return length > 1 && length <= MAX_BYTES
      ? new TextDecoder().decode(buffer.subarray(0, length - 1))
      : undefined;
  } catch {
    return undefined;
  }
}
