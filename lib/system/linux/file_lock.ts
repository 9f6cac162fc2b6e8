/** flock(2): a lock that goes with the last descriptor of the open file. */

import { check, libc } from "./libc_calls.ts";
import { hasErrno } from "./system_error.ts";

const OPERATIONS = { shared: 1, alone: 2 } as const;
const LOCK_NOW = 4;

/**
 * Locks the open file if nobody holds a lock that forbids it, and gives whether it did. A file system
 * that knows no locks, as some network file systems, counts as locked by nobody. Throws
 * {@link SystemError}.
 */
export function tryLock(descriptor: number, kind: keyof typeof OPERATIONS, file: string): boolean {
  try {
    check(libc().flock(descriptor, OPERATIONS[kind] | LOCK_NOW), `lock ${file}`);
  } catch (error) {
    if (hasErrno(error, "EAGAIN", "EINTR")) return false;
    if (!hasErrno(error, "ENOLCK", "EOPNOTSUPP", "ENOSYS")) throw error;
  }
  return true;
}
