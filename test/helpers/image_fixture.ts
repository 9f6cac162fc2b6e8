/** Images for tests, written as OCI layout directories: sound ones, odd ones and broken ones. */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { tarArchive, type TarSpec } from "./tar_fixture.ts";

export type Compression = "gzip" | "gzip-members" | "zstd" | "zstd-frames" | "none";

export interface LayerSpec {
  /** The members, or the archive's own bytes. */
  readonly tar: readonly TarSpec[] | Uint8Array;
  readonly compression?: Compression;
  readonly mediaType?: string;
  /** Stored bytes that replace the compressed archive. */
  readonly stored?: Uint8Array;
  /** A false diffID for the config. */
  readonly diffId?: string;
  /** A false digest for the manifest; the blob's file gets this name. */
  readonly digest?: string;
  readonly size?: number;
  readonly urls?: readonly string[];
}

export interface ImageSpec {
  /** Base first. */
  readonly layers: readonly (LayerSpec | readonly TarSpec[])[];
  /** The `config` object of the image's configuration: Env, Entrypoint, Labels... */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly platform?: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
  };
  /** When the image was made. */
  readonly created?: string;
  readonly format?: "oci" | "docker";
  readonly tag?: string;
  /** False keeps the manifest out of `index.json`, for images that only an index names. */
  readonly listed?: boolean;
  /** The compression of layers that name none. */
  readonly compression?: Compression;
}

/** One blob or manifest: its bytes and what names them. */
export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: Buffer;
}

export interface Image {
  /** The layout directory. */
  readonly directory: string;
  readonly tag: string;
  readonly manifest: Blob;
  readonly config: Blob;
  readonly layers: readonly Blob[];
  readonly platform: { readonly os: string; readonly architecture: string };
}

const mediaTypes = {
  oci: {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    index: "application/vnd.oci.image.index.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
    zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
    none: "application/vnd.oci.image.layer.v1.tar",
  },
  docker: {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
    none: "application/vnd.docker.image.rootfs.diff.tar",
  },
} as const;

/** Writes the image into `directory`, beside what is there already, and names it by its tag. */
export function writeImage(directory: string, spec: ImageSpec): Image {
  const types = mediaTypes[spec.format ?? "oci"];
  const platform = spec.platform ?? { os: "linux", architecture: hostArchitecture() };
  const layers: Blob[] = [];
  const diffIds: string[] = [];
  for (const one of spec.layers) {
    const layer: LayerSpec = "tar" in one ? one : { tar: one };
    const tar = layer.tar instanceof Uint8Array ? Buffer.from(layer.tar) : tarArchive(layer.tar);
    const compression = layer.compression ?? spec.compression ?? "gzip";
    const bytes = Buffer.from(layer.stored ?? compress(tar, compression));
    diffIds.push(layer.diffId ?? digestOf(tar));
    const kind = compression.split("-")[0] as "gzip" | "zstd" | "none";
    layers.push({
      mediaType: layer.mediaType ?? types[kind],
      digest: layer.digest ?? digestOf(bytes),
      size: layer.size ?? bytes.length,
      bytes,
    });
  }
  const config = jsonBlob(types.config, {
    created: spec.created ?? "2024-01-02T03:04:05Z",
    ...platform,
    config: spec.config ?? {},
    rootfs: { type: "layers", diff_ids: diffIds },
    history: diffIds.map(() => ({ created_by: "a fixture" })),
  });
  const manifest = jsonBlob(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptorOf(config),
    layers: layers.map((blob, index) => {
      const layer = spec.layers[index]!;
      return { ...descriptorOf(blob), ...("urls" in layer ? { urls: layer.urls } : {}) };
    }),
  });
  const image = {
    directory,
    tag: spec.tag ?? "latest",
    manifest,
    config,
    layers,
    platform,
  };
  for (const blob of [...layers, config, manifest]) writeBlob(directory, blob);
  if (spec.listed !== false) addToLayout(directory, manifest, image.tag);
  return image;
}

/** An index (a manifest list for `docker`) of manifests or of indexes, written and tagged. */
export function writeIndex(
  directory: string,
  entries: readonly { blob: Blob; platform?: unknown; annotations?: unknown }[],
  options: { tag?: string; format?: "oci" | "docker"; listed?: boolean } = {},
): Blob {
  const mediaType = mediaTypes[options.format ?? "oci"].index;
  const index = jsonBlob(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: entries.map(({ blob, platform, annotations }) => ({
      ...descriptorOf(blob),
      ...(platform === undefined ? {} : { platform }),
      ...(annotations === undefined ? {} : { annotations }),
    })),
  });
  writeBlob(directory, index);
  if (options.listed !== false) addToLayout(directory, index, options.tag ?? "latest");
  return index;
}

export function compress(tar: Uint8Array, compression: Compression): Buffer {
  switch (compression) {
    case "none":
      return Buffer.from(tar);
    case "gzip":
      return gzipSync(tar, { level: 1 });
    case "zstd":
      return zstdCompressSync(tar);
    case "gzip-members":
      return Buffer.concat(pieces(tar).map((piece) => gzipSync(piece, { level: 1 })));
    case "zstd-frames":
      return Buffer.concat([
        skippableFrame(Buffer.from("a table of contents before")),
        ...pieces(tar).map((piece) => zstdCompressSync(piece)),
        skippableFrame(Buffer.alloc(70_000, 7)),
      ]);
  }
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export function jsonBlob(mediaType: string, value: unknown): Blob {
  const bytes = Buffer.from(JSON.stringify(value));
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

export function blobPath(directory: string, digest: string): string {
  return join(directory, "blobs", digest.replace(":", "/"));
}

/** This machine's architecture, as Go and registries name it. */
export function hostArchitecture(): string {
  const names: Record<string, string> = { x64: "amd64", ia32: "386" };
  return names[process.arch] ?? process.arch;
}

export function writeBlob(directory: string, blob: Blob): void {
  const path = blobPath(directory, blob.digest);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, blob.bytes);
}

function addToLayout(directory: string, blob: Blob, tag: string): void {
  const path = join(directory, "index.json");
  let index: { manifests: { annotations?: Record<string, string> }[] } = { manifests: [] };
  try {
    index = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // The first image of this directory.
  }
  const others = index.manifests.filter((one) =>
    one.annotations?.["org.opencontainers.image.ref.name"] !== tag
  );
  const annotations = { "org.opencontainers.image.ref.name": tag };
  writeFileSync(
    path,
    JSON.stringify({
      schemaVersion: 2,
      manifests: [...others, { ...descriptorOf(blob), annotations }],
    }),
  );
  writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}

function descriptorOf(blob: Blob): { mediaType: string; digest: string; size: number } {
  return { mediaType: blob.mediaType, digest: blob.digest, size: blob.size };
}

/** Cuts at odd places, so that members and frames end in the middle of tar blocks. */
function pieces(bytes: Uint8Array): Uint8Array[] {
  const third = Math.max(1, Math.floor(bytes.length / 3) - 100);
  return [bytes.subarray(0, third), bytes.subarray(third, 2 * third), bytes.subarray(2 * third)];
}

function skippableFrame(content: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a5a, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}
