/** What one tar entry says. Names are `latin1` strings: one character for each byte, whatever its encoding. */

export type EntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character"
  | "block"
  | "fifo";

export interface TarEntry {
  /** Place in the stream, counted from 0; metadata headers do not count. */
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
  /** Bytes of content: of a sparse file the expanded ones. 0 unless a file. */
  size: number;
  /** Whether the content has holes that are not in the stream. */
  sparse: boolean;
  deviceMajor: number;
  deviceMinor: number;
  /** Names as in PAX records (`user.x`, `security.capability`), values as bytes. */
  xattrs: ReadonlyMap<string, Uint8Array> | undefined;
}

/** A tar stream that breaks the format. `layer/` and `image/` add which stream it was. */
export class TarError extends Error {
  override readonly name = "TarError";
}

export const BLOCK = 512;

const ZERO_COUNT = 64 * 1024;
/** Shared zeros, for padding and holes. Never written to. */
export const ZEROS = new Uint8Array(ZERO_COUNT);

/** Bytes that fill `size` up to a whole block. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
