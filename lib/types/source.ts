/** Where an image's content comes from, and where it goes. No code. */

import type { ByteRange, Descriptor, Digest, Platform, ResolvedImage } from "./image.ts";

/** Stored bytes that lie on this machine already; they are read in place. */
export type LocalBlob = FileBlob | SplitLayer | LayerTree;

/** A stretch of a file: the whole, or a member of an archive. It is as long as the descriptor says. */
export interface FileBlob {
  readonly type: "file";
  readonly path: string;
  readonly offset: number;
  /**
   * What the bytes are held against. `diffId` where the format knows no digest of stored bytes; the
   * descriptor then has the layer's diffID, or a digest of the source's own making.
   */
  readonly checkedBy: "digest" | "diffId";
}

/** An unpacked layer of containers-storage, with the recipe that makes its exact tar stream again. */
export interface SplitLayer {
  readonly type: "tar-split";
  /** The `.tar-split.gz` file. */
  readonly recipe: string;
  /** The directory that holds the layer's files. */
  readonly root: string;
}

/** An unpacked layer without such a recipe: its tar stream is made anew and has no known digest. */
export interface LayerTree {
  readonly type: "tree";
  /** The directory that holds the layer's files; deletions as overlayfs marks them. */
  readonly root: string;
  /** It holds the lower layers' files too, and what it lacks is gone. */
  readonly isWhole: boolean;
}

/** Where stored bytes are; a download's file has another name at its end: both are tried in turn. */
export type BlobPlace = LocalBlob | {
  readonly type: "download";
  readonly paths: readonly [temporary: string, final: string];
};

/** Keeps blobs that come along with an image, before it is known what they are. */
export interface BlobStore {
  /** The blob's file, when it is there with its full size; with any, when that is not known. */
  find(blob: { readonly digest: Digest; readonly size?: number }): string | undefined;
  /** A place for a blob that is to come. */
  spool(): BlobWriter;
}

export interface BlobWriter {
  /** Appends. Throws code `space` or `file`. */
  write(bytes: Uint8Array): void;
  /** Keeps the blob under its SHA-256 digest. */
  commit(): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** Removes what was not committed. */
  close(): void;
  /** Removes what was committed, unless the store had it before. */
  takeBack(): void;
}

/** An image at its place. Every transport yields one. */
export interface Source extends AsyncDisposable {
  /** The canonical URI, without a user: what the image records of where it came from. */
  readonly uri: string;

  /** Picks the platform's manifest; the manifest's own digest has been verified. */
  resolve(platform: Platform, signal: AbortSignal): Promise<ResolvedImage>;

  /**
   * The stored bytes of a blob. They are **unverified**: only `layer/` may call this.
   *
   * Yields exactly the bytes of `range` (the whole blob without one), retrying and resuming within
   * the limits of the settings, or throws. Throws code `range_unsupported` when a range that does
   * not start at 0 is asked of a server that ignores ranges: ask for the whole blob then.
   *
   * Absent where all blobs are on this machine, here or in the {@link BlobStore}.
   */
  blob?(
    descriptor: Descriptor,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;

  /** Where the blob lies on this machine, if it does. Throws when what lies there is not fit. */
  local?(descriptor: Descriptor): LocalBlob | undefined;

  /**
   * All tags of the repository, or of the directory or archive, each once, in the order in which
   * they are kept there. What the reference says of a tag or digest counts for nothing.
   *
   * Absent where images have no tags.
   */
  tags?(signal: AbortSignal): Promise<readonly string[]>;

  /**
   * The image that one of {@link tags} stands for. What is known of the place serves all of them;
   * the place is left with this source, and not with those that come from here.
   *
   * Absent where images have no tags.
   */
  at?(tag: string): Source;
}
