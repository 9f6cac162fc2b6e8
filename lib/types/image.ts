/** What an image consists of, in the words of the OCI image specification. No code. */

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
