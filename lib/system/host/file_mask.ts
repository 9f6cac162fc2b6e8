/** The permissions that the process's umask takes from new files. */

import { readFileSync } from "node:fs";

/** All of them where the kernel does not say it (before 4.7): no permission can be relied on then. */
export function fileMask(): number {
  try {
    // umask(2) tells it only by changing it, for all threads.
    const text = /^Umask:\s+([0-7]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return text === undefined ? 0o777 : parseInt(text, 8);
  } catch {
    return 0o777;
  }
}
