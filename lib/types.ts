/** The vocabulary that all rooms share. No code. */

/** `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits (image-spec, descriptor.md). */
export type Digest = string;

/** What an image consists of: a blob's type, the digest of its stored bytes and their count. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes as stored, compressed where the layer is. */
  readonly size: number;
  readonly urls?: readonly string[];
  readonly platform?: Platform;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Names as Go and the image-spec use them: `linux`, `amd64`, `arm64` with variant `v8`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** One platform's manifest, Docker v2s2 or OCI, with all fields checked. Layers are base first. */
export interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** The part of an image's configuration that denroot uses (image-spec, config.md). */
export interface ImageConfig {
  readonly architecture?: string;
  readonly os?: string;
  readonly variant?: string;
  /** RFC 3339, as the image has it. */
  readonly created?: string;
  /** Digests of the uncompressed layers, base first. */
  readonly diffIds: readonly Digest[];
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** A manifest or an index as it is stored, for people and scripts who ask for it. */
export interface StoredDocument {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** What a reference stood for when it was asked. */
export interface ResolvedImage {
  /** Digest of the platform's manifest. */
  readonly digest: Digest;
  readonly manifest: Manifest;
  /** What led here, outermost first: indexes, if any, and the manifest. */
  readonly documents: readonly StoredDocument[];
}

/** Bytes from `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

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

/** What an import tells while it works. */
export type ProgressEvent =
  | { readonly type: "log"; readonly level: "info" | "warn"; readonly message: string }
  | { readonly type: "resolved"; readonly digest: Digest; readonly layers: readonly Descriptor[] }
  /** `received` of `size` stored bytes of the layer are here; `cached` when none had to be sent. */
  | {
    readonly type: "layer";
    readonly index: number;
    readonly size: number;
    readonly received: number;
    readonly cached: boolean;
  }
  /** Uncompressed bytes handed to mksquashfs so far. */
  | { readonly type: "packed"; readonly bytes: number };

export type OnProgress = (event: ProgressEvent) => void;

/** `docker://…`, in canonical form. */
export interface DockerReference {
  readonly scheme: "docker";
  readonly user?: string;
  /** Host with an optional port; Docker Hub's aliases have become `registry-1.docker.io`. */
  readonly registry: string;
  /** With `library/` on Docker Hub. */
  readonly repository: string;
  /** The repository as written, when no registry was: it may be another one's by the settings. */
  readonly shortName?: string;
  /** Set unless a digest alone was given; `latest` when neither was. */
  readonly tag?: string;
  /** Wins over the tag. */
  readonly digest?: Digest;
}

/** `oci:PATH[:TAG]`, `oci:PATH@DIGEST`, `oci:PATH:@INDEX`; `oci-archive:` has the same in a tar file. */
export interface OciReference {
  readonly scheme: "oci" | "oci-archive";
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
  /** Place in the layout's `index.json`, from 0. */
  readonly index?: number;
}

/** `docker-archive:PATH[:NAME[:TAG]]`, `docker-archive:PATH:@INDEX`. */
export interface DockerArchiveReference {
  readonly scheme: "docker-archive";
  readonly path: string;
  /** As in the archive's `RepoTags`, with its tag: `alpine:3`. */
  readonly image?: string;
  /** Place in the archive's `manifest.json`, from 0. */
  readonly index?: number;
}

/** `dir:PATH`. */
export interface DirectoryReference {
  readonly scheme: "dir";
  readonly path: string;
}

/** `dockerd://IMAGE`, `docker-daemon:IMAGE`, `docker-daemon:sha256:ID`, `podman://IMAGE`. */
export interface EngineReference {
  readonly scheme: "dockerd" | "docker-daemon" | "podman";
  /** As the engine names it, with what was given of a tag or digest; or `sha256:` and its ID. */
  readonly image: string;
}

/** `containers-storage:[[DRIVER@]ROOT[+RUN-ROOT][:OPTIONS]]IMAGE`. */
export interface StorageReference {
  readonly scheme: "containers-storage";
  readonly driver?: string;
  readonly root?: string;
  readonly runRoot?: string;
  readonly options: readonly string[];
  /** `NAME[:TAG][@DIGEST]`, or `@ID`. */
  readonly image: string;
}

/** `ostree:NAME[:TAG][@/REPOSITORY]`. */
export interface OstreeReference {
  readonly scheme: "ostree";
  readonly image: string;
  /** Absolute; `/ostree/repo` when none was given. */
  readonly repository: string;
}

/** A path alone: what lies there decides what it is. */
export interface PathReference {
  readonly scheme: "path";
  readonly path: string;
}

export type Reference =
  | DockerReference
  | OciReference
  | DockerArchiveReference
  | DirectoryReference
  | EngineReference
  | StorageReference
  | OstreeReference
  | PathReference;
