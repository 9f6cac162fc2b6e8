/** The interfaces of the places that images come from and go to. No code. */

import type {
  ByteRange,
  ContainerImage,
  Descriptor,
  Digest,
  IndexEntry,
  StoredDocument,
} from "./image.ts";
import type { Reference } from "./reference.ts";

/** A blob whose bytes are on this machine already; they are read where they are. */
export type LocalBlob = FileBlob | SplitLayer | LayerTree;

/**
 * A blob that is a file, or a part of one: a member of an archive. The descriptor's size says how
 * long the part is.
 */
export interface FileBlob {
  readonly type: "file";
  readonly path: string;
  /** Where the blob starts in the file, in bytes. */
  readonly offset: number;
  /**
   * What verifies the bytes: the digest of the stored bytes or, where the format knows none, the
   * diffID. In the second case the descriptor's digest is the diffID, or one that the source made.
   */
  readonly checkedBy: "digest" | "diffId";
}

/** An unpacked layer of containers-storage, with the recipe that restores its exact tar stream. */
export interface SplitLayer {
  readonly type: "tar-split";
  /** The path of the `.tar-split.gz` file. */
  readonly recipe: string;
  /** The directory that holds the layer's files. */
  readonly root: string;
}

/** An unpacked layer without a recipe: its tar stream is made anew and has no known digest. */
export interface LayerTree {
  readonly type: "tree";
  /** The directory that holds the layer's files. Deletions are marked as overlayfs marks them. */
  readonly root: string;
  /**
   * Whether the directory also holds the files of all lower layers. A lower layer's file that is
   * missing here was then deleted.
   */
  readonly isWhole: boolean;
}

/**
 * Where stored bytes are. A download's file is renamed when the download ends: readers try its two
 * paths in turn.
 */
export type BlobPlace = LocalBlob | {
  readonly type: "download";
  readonly paths: readonly [temporary: string, final: string];
};

/** Keeps blobs whose digests are not known before they have arrived. */
export interface BlobStore {
  /**
   * The path of the blob's file; undefined when the store does not have it. A file of another size
   * than `size` does not count.
   */
  find(blob: { readonly digest: Digest; readonly size?: number }): string | undefined;
  /** Starts a new blob. */
  spool(): BlobWriter;
}

export interface BlobWriter {
  /** Appends. Throws code `space` or `file`. */
  write(bytes: Uint8Array): void;
  /** Keeps the blob under its SHA-256 digest. */
  commit(): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** Removes the blob unless it was committed. */
  close(): void;
  /** Removes the committed blob, unless the store had it before. */
  takeBack(): void;
}

/**
 * The documents and blobs of an image, as its place has them. Every transport gives such a source. A
 * source does not judge the content: other code chooses the platform and decides what an import can
 * use.
 */
export interface ImageSource extends AsyncDisposable {
  /**
   * What the source was opened for, as far as that is known by now: a path has its scheme, and a
   * short name has its registry once an image was found.
   */
  readonly reference: Reference;

  /**
   * The canonical URI of {@link reference}, without a user. An import records it in the image as its
   * origin.
   */
  readonly uri: string;

  /**
   * The index or manifest that the reference names. An image layout may list several images under
   * one name without an index for them; the list of these images is given then.
   */
  root(signal: AbortSignal): Promise<ImageRoot>;

  /**
   * The digest of what the reference names, as the place says it, without its bytes; undefined when
   * the place does not say it. Unverified: it only tells whether something may have changed.
   *
   * Absent where {@link root} costs no more.
   */
  digest?(signal: AbortSignal): Promise<Digest | undefined>;

  /**
   * A document that another document names. Throws code `digest` when its bytes do not have the
   * descriptor's digest, `manifest` when they do not have its size.
   */
  document(descriptor: Descriptor, signal: AbortSignal): Promise<StoredDocument>;

  /**
   * The configuration and layers that the place gives instead of the manifest's, because it does not
   * have those exact bytes; or the manifest's own, when the place has to prepare them first. Call
   * this before `blob` and `place`.
   *
   * Absent where the blobs are those that the manifest names.
   */
  contentOf?(image: ContainerImage, signal: AbortSignal): Promise<ImageContent>;

  /**
   * The stored bytes of a blob. They are **unverified**: `store/` verifies them.
   *
   * Yields exactly the bytes of `range`, or the whole blob without one. Each piece is the caller's,
   * who may free its memory. Retries and resumes within
   * the limits of the settings, and throws when these are used up. Throws code `range_unsupported`
   * when a range does not start at 0 and the server ignores ranges: ask for the whole blob then.
   *
   * Absent where all blobs are on this machine already: at their place or in the {@link BlobStore}.
   */
  blob?(
    descriptor: Descriptor,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;

  /**
   * Throws code `not_found` when the place does not have the blob, `file` when it has another size
   * there. Nothing of the blob is read.
   *
   * Absent where {@link place} tells the same.
   */
  requireBlob?(descriptor: Descriptor, signal: AbortSignal): Promise<void>;

  /**
   * Where the blob is on this machine; undefined when it is not. Throws when the file there cannot
   * be used.
   */
  place?(descriptor: Descriptor): LocalBlob | undefined;

  /**
   * All tags of the repository, directory or archive, without repetitions, in the order of that
   * place. The tag or digest of the reference has no influence.
   *
   * Absent where images have no tags.
   */
  tags?(signal: AbortSignal): Promise<readonly string[]>;

  /**
   * What refers to the document with this digest (image-spec, manifest.md, "subject"): signatures,
   * bills of materials. Empty when nothing does. An entry may be one that cannot be used.
   *
   * Absent where the place cannot tell.
   */
  referrers?(digest: Digest, signal: AbortSignal): Promise<readonly IndexEntry[]>;

  /**
   * The image that has one of the {@link tags}. It shares the connections and the knowledge of this
   * source and cannot be used after it: only this source is disposed of.
   *
   * Absent where images have no tags.
   */
  at?(tag: string): ImageSource;
}

/** What is needed of a source to go through the documents below a root. */
export type DocumentSource = Pick<ImageSource, "uri" | "document">;

/** The same, with the root. */
export type RootedSource = Pick<ImageSource, "uri" | "root" | "document">;

/** An index or a manifest; or the images of one name, where no index lists them. */
export type ImageRoot =
  | { readonly document: StoredDocument }
  | { readonly images: readonly IndexEntry[] };

/**
 * The configuration and layers that a place gives for an image. The digest of a layer that is stored
 * unpacked, or under its diffID, is that diffID.
 */
export interface ImageContent {
  readonly config: Descriptor;
  /** Base first, as many as the manifest has. */
  readonly layers: readonly Descriptor[];
}

/**
 * Opens the bytes of a blob, from `start` to its end. A stream that was sent in part cannot be sent
 * again: a destination whose upload was cut asks anew, from the first byte that it lacks. Throws what
 * {@link ImageSource.blob} throws; after code `range_unsupported` the blob has to begin at 0.
 */
export type OpenBlob = (start: number) => AsyncIterable<Uint8Array>;

/** How {@link ImageDestination.commit} names an image. */
export interface CommitOptions {
  /** Whether the image takes a name that belongs to another digest. */
  readonly replace: boolean;
  /** Tags that the image gets beside the reference's own. */
  readonly furtherTags: readonly string[];
}

/**
 * A place that takes an image. Children are put before their parents, and the name comes last: a
 * destination that was not committed shows nothing new. What was put stays, so that a later attempt
 * finds it.
 *
 * Methods may be called for several blobs at the same time. A place that can only take one after the
 * other, an archive for example, lets them wait. Errors of the place name it; errors of a blob's own
 * bytes come through unchanged: so it is clear which side failed.
 */
export interface ImageDestination extends AsyncDisposable {
  /** The canonical URI, without a user. */
  readonly uri: string;

  /**
   * Present where the place takes no index and no artifact, but only images for one platform with
   * layers that are stored plain or with gzip: an engine, or an archive for one.
   */
  readonly takesOnlyImages?: true;

  /**
   * The destination with another name in the same place. It shares the connections and what was put,
   * and cannot be used after this one: only this one is disposed of.
   *
   * Absent where a place has no names, or only one.
   */
  at?(name: string): ImageDestination;

  /**
   * The digest of the image that has the name now; undefined while the name is free, and when the
   * reference has no name. With it a copy decides whether it has nothing to do, or would take the
   * name from another image.
   */
  current(signal: AbortSignal): Promise<Digest | undefined>;

  /**
   * What an engine knows the image by that has the name now: the digest of its configuration, or of its
   * manifest or index; undefined while the name is free.
   *
   * Absent where {@link current} tells.
   */
  currentId?(signal: AbortSignal): Promise<Digest | undefined>;

  /**
   * Whether the place has the complete blob, as far as it can tell without reading it. That it has a
   * document proves nothing about the blobs that the document names.
   */
  hasBlob(descriptor: Descriptor, signal: AbortSignal): Promise<boolean>;

  /** Whether the place has this index or manifest. A registry keeps them apart from blobs. */
  hasDocument(descriptor: Descriptor, signal: AbortSignal): Promise<boolean>;

  /**
   * Takes a blob from another repository of the same registry, without its bytes. Gives false when
   * the registry does not: the blob is put then. A registry that opened an upload instead has it used
   * by that put.
   *
   * Absent where a place has no other repositories.
   */
  mount?(descriptor: Descriptor, repository: string, signal: AbortSignal): Promise<boolean>;

  /**
   * Stores a blob. Throws code `digest` when the bytes do not have the descriptor's digest or size, and
   * keeps none of them then.
   */
  putBlob(descriptor: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<void>;

  /**
   * Stores an index or a manifest, after everything that it names has been put. One that refers to
   * the image (image-spec, manifest.md, "subject") may also come after the commit. A registry without
   * a list of referrers then gets it in the index that stands for this list.
   */
  putDocument(document: StoredDocument, signal: AbortSignal): Promise<void>;

  /**
   * Present where a commit also stores the root: it need not be put before, unless something that was
   * put refers to it.
   */
  readonly commitStoresRoot?: boolean;

  /**
   * Gives the image its names. `root` was put before, if it has to be. Throws code `exists` when a
   * name belongs to another digest and is not to be replaced.
   */
  commit(root: StoredDocument, options: CommitOptions, signal: AbortSignal): Promise<void>;

  /**
   * Ends a place that is written as one piece, after the last commit of any name in it; only now it
   * appears. Absent where a commit is enough.
   */
  finish?(signal: AbortSignal): Promise<void>;
}
