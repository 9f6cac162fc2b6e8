/** A tar entry. Names are `latin1` strings: one character for each byte, in any encoding. */

export type EntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character"
  | "block"
  | "fifo";

export interface TarEntry {
  /** Its number in the stream, counted from 0; metadata headers do not count. */
  ordinal: number;
  type: EntryType;
  /** As the archive has it, not cleaned. */
  path: string;
  /** Target of a symlink (verbatim) or of a hard link (a path of the archive); else empty. */
  linkPath: string;
  /** Permission bits, 0 to 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Whole seconds, rounded down; may be negative. */
  mtime: number;
  /** Bytes of content, the holes of a sparse file included; 0 for all but files. */
  size: number;
  /** Whether the content has holes that are not in the stream. */
  sparse: boolean;
  deviceMajor: number;
  deviceMinor: number;
  /** Names as in PAX records (`user.x`, `security.capability`), values as bytes. */
  xattrs: ReadonlyMap<string, Uint8Array> | undefined;
}

/** A tar stream breaks the format. The caller adds which stream it was. */
export class TarError extends Error {
  override readonly name = "TarError";
}

export const BLOCK = 512;

const ZERO_COUNT = 64 * 1024;
/** Zeros for padding and holes. All share them, so nobody may write to them. */
export const ZEROS = new Uint8Array(ZERO_COUNT);

/** How many bytes fill `size` up to a whole block. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
