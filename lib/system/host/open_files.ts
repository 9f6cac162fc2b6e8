/** The limit of open files that programs inherit which this process starts. */

import { loadLibc } from "../libc.ts";

const RLIMIT_NOFILE = 7;
const SIGNATURES = {
  getrlimit: { args: ["i32", "buffer"], result: "i32" },
  setrlimit: { args: ["i32", "buffer"], result: "i32" },
} as const;

/**
 * Lowers the soft limit to `most` where it is higher: some systems allow a thousand million, and there
 * are programs that reserve memory for each. The hard limit stays.
 */
export async function capOpenFiles(most: number): Promise<void> {
  const libc = await loadLibc(SIGNATURES);
  const limits = new BigUint64Array(2);
  if (libc.getrlimit(RLIMIT_NOFILE, limits) !== 0 || limits[0]! <= BigInt(most)) return;
  limits[0] = BigInt(most);
  libc.setrlimit(RLIMIT_NOFILE, limits);
}
