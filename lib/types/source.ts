/** Where an image's content comes from, and where it goes. No code. */

import type { ByteRange, ContainerImage, Descriptor, Digest, StoredDocument } from "./image.ts";

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

/**
 * An image's content at its place, unjudged: documents and blobs. Every transport gives one. What a
 * reader makes of the content, for which platform and whether it is fit, is decided elsewhere.
 */
export interface ImageSource extends AsyncDisposable {
  /** The canonical URI, without a user: an image records it as its origin. */
  readonly uri: string;

  /**
   * The index or manifest that the reference names. Where a place lists several images under one
   * name and has no index for them, as an image layout may, the list of these images instead.
   */
  root(signal: AbortSignal): Promise<ImageRoot>;

  /** A document that another one names. Throws code `digest` when its bytes are not what it says. */
  document(descriptor: Descriptor, signal: AbortSignal): Promise<StoredDocument>;

  /**
   * What the place gives for the configuration and the layers that an image's manifest names, where
   * it cannot give those very bytes, or has to prepare them. It is to be asked before any blob is.
   *
   * Absent where blobs are simply those of the manifest.
   */
  contentOf?(image: ContainerImage, signal: AbortSignal): Promise<ImageContent>;

  /**
   * The stored bytes of a blob. They are **unverified**: `store/` verifies them.
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

  /** Where the blob lies on this machine, if it does. Throws when the file there is not fit. */
  place?(descriptor: Descriptor): LocalBlob | undefined;

  /**
   * All tags of the repository, directory or archive, each once, in the order of that place. A tag
   * or digest in the reference does not matter.
   *
   * Absent where images have no tags.
   */
  tags?(signal: AbortSignal): Promise<readonly string[]>;

  /**
   * The image that has one of {@link tags}. It shares what this source knows and its connections,
   * and ends with it: only this source is disposed of.
   *
   * Absent where images have no tags.
   */
  at?(tag: string): ImageSource;
}

/** An index or a manifest; or the images that one name stands for, where no index lists them. */
export type ImageRoot =
  | { readonly document: StoredDocument }
  | { readonly images: readonly Descriptor[] };

/**
 * What a place gives of an image. A layer that the place keeps unpacked, or under its diffID, has
 * that diffID as its digest.
 */
export interface ImageContent {
  readonly config: Descriptor;
  /** Base first, as many as the manifest has. */
  readonly layers: readonly Descriptor[];
}

/**
 * A place that takes an image. Children are put before their parents, and the name comes last: a
 * destination that was not committed shows nothing new.
 */
export interface ImageDestination extends AsyncDisposable {
  /** The canonical URI. */
  readonly uri: string;

  /** Whether the place has the blob or document, whole. */
  has(descriptor: Descriptor, signal: AbortSignal): Promise<boolean>;

  /**
   * Takes a blob over from another repository of the same registry; false when that is refused.
   *
   * Absent where there are no repositories beside each other.
   */
  mount?(descriptor: Descriptor, repository: string, signal: AbortSignal): Promise<boolean>;

  /** Throws code `digest` when `bytes` are not what the descriptor says; nothing of them stays. */
  putBlob(
    descriptor: Descriptor,
    bytes: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void>;

  /** Takes an index or a manifest; all that it names has been put before. */
  putDocument(document: StoredDocument, signal: AbortSignal): Promise<void>;

  /** Gives the image its name. */
  commit(root: StoredDocument, signal: AbortSignal): Promise<void>;
}
