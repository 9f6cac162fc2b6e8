/** Modes that let an unprivileged user read, enter and later remove what an image holds. */

/**
 * As enroot does by `chmod u+rX` on everything and `u+w` on directories: X is given to directories
 * and to what somebody may execute already. Symbolic links keep their mode, which means nothing.
 */
export function usableMode(type: string, mode: number): number {
  if (type === "symlink") return mode;
  if (type === "directory") return mode | 0o700;
  return mode | 0o400 | ((mode & 0o111) === 0 ? 0 : 0o100);
}
