/** The types that describe an image, in the words of the OCI image specification. No code. */

/** `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits (image-spec, descriptor.md). */
export type Digest = string;

/** Names a blob by its media type, its digest and its size (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  /** The digest of the stored bytes. */
  readonly digest: Digest;
  /** The number of stored bytes; a compressed layer has its compressed size here. */
  readonly size: number;
  readonly urls?: readonly string[];
  readonly platform?: Platform;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * An entry of an index. One that cannot be used is kept, because the others may be good: it has the
 * reason as its `fault`, an empty digest, and those of its other fields that could be read.
 */
export interface IndexEntry extends Descriptor {
  readonly fault?: Error;
}

/** Has the names that Go and the image-spec use: `linux`, `amd64`, `arm64` with variant `v8`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  /** Features that the image needs; an ordinary image names none. */
  readonly features?: readonly string[];
}

/**
 * The manifest of an image or of another artifact, in the OCI format or Docker's (version 2,
 * schema 2). All fields have been checked.
 */
export interface Manifest {
  readonly mediaType: string;
  /** The kind of artifact; images have none. */
  readonly artifactType?: string;
  /** Absent in artifact manifests, a format that the image-spec dropped before version 1.1. */
  readonly config?: Descriptor;
  /** An image's layers, base first; or another artifact's blobs. */
  readonly layers: readonly Descriptor[];
  /**
   * The manifest that this one refers to (image-spec, manifest.md, "subject"). Absent when denroot
   * cannot read its descriptor: the image itself does not need it.
   */
  readonly subject?: Descriptor;
}

/** A manifest that names a configuration, as every image's manifest does. */
export interface ImageManifest extends Manifest {
  readonly config: Descriptor;
}

/** The part of an image's configuration that denroot uses (image-spec, config.md). */
export interface ImageConfig {
  readonly architecture?: string;
  readonly os?: string;
  readonly variant?: string;
  /** An RFC 3339 time, unchanged from the image. */
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

/** The parts of an image that an import reads. */
export interface ReadPlan {
  readonly config: ImageConfig;
  /** Base first. */
  readonly layers: readonly PlannedLayer[];
}

export interface PlannedLayer {
  /** Names the stored bytes. The store knows where they are; this changes while they arrive. */
  readonly descriptor: Descriptor;
  /** The digest of the uncompressed layer, from the configuration. */
  readonly diffId: Digest;
}

/** A manifest or an index with its exact bytes. */
export interface StoredDocument {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** The manifest that a reference led to, for one platform and at one time. */
export interface ResolvedImage {
  /** The digest of the platform's manifest. */
  readonly digest: Digest;
  /** The last of `documents`, parsed. */
  readonly manifest: Manifest;
  /** The platform that an index gives for the manifest; absent where no index names one. */
  readonly platform?: Platform;
  /** The indexes on the way to the manifest, if there are any, outermost first; then the manifest. */
  readonly documents: readonly StoredDocument[];
}

/** A resolved image that is a container image and no other artifact. */
export interface ContainerImage extends ResolvedImage {
  readonly manifest: ImageManifest;
}

/** The bytes from `start` to `end`, counted from 0; `end` itself is not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}
