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

/** A manifest, Docker v2s2 or OCI, with all fields checked: of an image or of any artifact. */
export interface Manifest {
  readonly mediaType: string;
  /** What kind of artifact it is; images have none. */
  readonly artifactType?: string;
  /** Absent in the artifact manifests that the image-spec gave up before version 1.1. */
  readonly config?: Descriptor;
  /** Base first where it is an image; the blobs of an artifact. */
  readonly layers: readonly Descriptor[];
  /** The manifest that this one is about (image-spec, manifest.md, "subject"). */
  readonly subject?: Descriptor;
}

/** A manifest that can be an image's. */
export interface ImageManifest extends Manifest {
  readonly config: Descriptor;
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

/** What is read of an image: its configuration, and its layers base first. */
export interface ReadPlan {
  readonly config: ImageConfig;
  readonly layers: readonly PlannedLayer[];
}

export interface PlannedLayer {
  /** The stored bytes; where they are is known to the store, and changes while they arrive. */
  readonly descriptor: Descriptor;
  /** Digest of the uncompressed layer, as the configuration has it. */
  readonly diffId: Digest;
}

/** A manifest or an index as it is stored, for people and scripts who ask for it. */
export interface StoredDocument {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** What a reference stood for when it was asked, for one platform. */
export interface ResolvedImage {
  /** Digest of the platform's manifest. */
  readonly digest: Digest;
  /** The last of `documents`, parsed. */
  readonly manifest: Manifest;
  /** What led here, outermost first: indexes, if any, and the manifest. */
  readonly documents: readonly StoredDocument[];
}

/** A resolved image that is a container image, not an artifact. */
export interface ContainerImage extends ResolvedImage {
  readonly manifest: ImageManifest;
}

/** Bytes from `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}
