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

/** What a reference stood for when it was asked. */
export interface ResolvedImage {
  /** Digest of the platform's manifest. */
  readonly digest: Digest;
  readonly manifest: Manifest;
}

/** Bytes from `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
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
   */
  blob(
    descriptor: Descriptor,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;

  /** The blob's file when it lies on this machine already; it is then read in place. */
  localPath?(descriptor: Descriptor): string | undefined;
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
  /** Set unless a digest alone was given; `latest` when neither was. */
  readonly tag?: string;
  /** Wins over the tag. */
  readonly digest?: Digest;
}

/** `oci:PATH[:TAG]`, `oci:PATH@DIGEST`. */
export interface OciReference {
  readonly scheme: "oci";
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export type Reference = DockerReference | OciReference;
