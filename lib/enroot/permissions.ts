/** Modes that let an unprivileged user read, enter and later remove what an image holds. */

/**
 * Does what enroot does by `chmod u+rX` on everything and `u+w` on directories. The `X` gives the
 * owner the right to execute directories, and files that anyone may execute. The mode of a symbolic
 * link has no meaning and stays.
 */
export function usableMode(type: string, mode: number): number {
  if (type === "symlink") return mode;
  if (type === "directory") return mode | 0o700;
  return mode | 0o400 | ((mode & 0o111) === 0 ? 0 : 0o100);
}
