/** Makes the manifest of a saved image, and finds out where its blobs are. */

import { Buffer } from "node:buffer";
import { createReadStream } from "node:fs";
import { compressionOf, decompress } from "../../compress/decompress.ts";
import type { Settings } from "../../config/settings.ts";
import { DenrootError, throwIfAborted } from "../../errors.ts";
import { digestOf, verifyDigest } from "../../oci/digest.ts";
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_MANIFEST,
  DOCKER_PLAIN_LAYER,
} from "../../oci/media_types.ts";
import { MAX_CONFIG_SIZE, parseConfig } from "../../oci/parse_config.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { Descriptor, Digest, StoredDocument } from "../../types/image.ts";
import type { FileBlob, ImageContent } from "../../types/source.ts";
import type { ArchiveContents } from "./archive_contents.ts";
import { tooLarge } from "./archive_error.ts";
import { cleanName } from "./clean_name.ts";
import { chooseSavedImage, type ImageChoice } from "./saved_image.ts";

/** How many layers are decompressed at the same time, to count their bytes. */
const COUNTED_AT_ONCE = 4;
/** This many bytes are enough to recognise a compression. */
const MAGIC_SIZE = 8;
const READ_SIZE = 1024 * 1024;

export interface SavedImageContent extends ImageContent {
  /** The manifest, made exactly as containers/image makes it. */
  readonly document: StoredDocument;
  /** Where the blobs are, by the configuration's digest and the layers' diffIDs. */
  readonly blobs: ReadonlyMap<Digest, FileBlob>;
}

/**
 * Reads an image that has no manifest of its own. The manifest that is made for it is the same Docker
 * manifest as in containers/image, so that the digest is the same: it names all layers by their
 * diffIDs.
 *
 * Throws what `chooseSavedImage` throws; code `not_found` for a missing file, `file` for a file that
 * cannot be read, `digest` for a configuration that does not have the digest in its name, `limit` for
 * layers that decompress to more than `maxImageBytes` together.
 */
export async function readSavedImage(
  contents: ArchiveContents,
  choice: ImageChoice,
  { maxImageBytes }: Pick<Settings, "maxImageBytes">,
  signal: AbortSignal,
): Promise<SavedImageContent> {
  const saved = chooseSavedImage(contents, choice);
  const bytes = contents.read(saved.config, MAX_CONFIG_SIZE);
  const config = {
    mediaType: DOCKER_CONFIG,
    size: bytes.length,
    digest: configDigest(contents, saved.config, bytes),
  };
  const { diffIds } = parseConfig(bytes);
  if (diffIds.length !== saved.layers.length) throw wrongCount(contents, diffIds, saved.layers);

  const names = new Map<Digest, string>([[config.digest, saved.config]]);
  // Layers with the same content are read only once, from the first of their files.
  for (const [index, diffId] of diffIds.entries()) {
    if (!names.has(diffId)) names.set(diffId, saved.layers[index]!);
  }
  const blobs = await locate(contents, names, config.digest);
  const layers = new Map<Digest, Layer>();
  const budget = { limit: maxImageBytes, left: maxImageBytes };
  for (const part of inParts([...new Set(diffIds)], COUNTED_AT_ONCE)) {
    throwIfAborted(signal);
    const found = await Promise.all(
      part.map((diffId) => describeLayer(contents, names.get(diffId)!, diffId, budget, signal)),
    );
    for (const [index, diffId] of part.entries()) layers.set(diffId, found[index]!);
  }
  const inOrder = diffIds.map((diffId) => layers.get(diffId)!);
  return {
    document: toManifest(config, inOrder),
    config,
    layers: inOrder.map(({ stored }) => stored),
    blobs,
  };
}

/** The file of a configuration nearly always has the digest as its name: it is verified then. */
function configDigest(contents: ArchiveContents, name: string, bytes: Uint8Array): Digest {
  const hex = /(?:^|[/:])([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  if (hex !== undefined) {
    verifyDigest(bytes, `sha256:${hex}`, `${contents.name}: the image's configuration`);
  }
  return digestOf(bytes);
}

async function locate(
  contents: ArchiveContents,
  names: ReadonlyMap<Digest, string>,
  config: Digest,
): Promise<ReadonlyMap<Digest, FileBlob>> {
  const blobs = new Map<Digest, FileBlob>();
  for (const [digest, name] of names) {
    await contents.keep(name);
    const checkedBy = digest === config ? "digest" : "diffId";
    blobs.set(digest, { type: "file", ...contents.position(name), checkedBy });
  }
  return blobs;
}

interface Layer {
  /** Has the size of the bytes in the archive, but the digest of the uncompressed layer. */
  readonly stored: Descriptor;
  /** The layer's size in the manifest, computed as in containers/image. */
  readonly shownSize: number;
}

/** How many bytes the layers may decompress to: a small file can decompress to very many. */
interface Budget {
  readonly limit: number;
  left: number;
}

async function describeLayer(
  contents: ArchiveContents,
  name: string,
  diffId: Digest,
  budget: Budget,
  signal: AbortSignal,
): Promise<Layer> {
  const file = contents.find(name)!;
  const isPlain = compressionOf(contents.readStart(name, MAGIC_SIZE)) === undefined;
  const mediaType = isPlain ? DOCKER_PLAIN_LAYER : DOCKER_LAYER;
  const stored = { mediaType, size: file.size, digest: diffId };
  // Docker links one image's layer to another's; containers/image takes the size of the link.
  if (file.name !== cleanName(name)) return { stored, shownSize: 0 };
  if (isPlain) return { stored, shownSize: file.size };
  return { stored, shownSize: await countContent(contents, name, file.size, budget, signal) };
}

async function countContent(
  contents: ArchiveContents,
  name: string,
  size: number,
  budget: Budget,
  signal: AbortSignal,
): Promise<number> {
  const { path, offset } = contents.position(name);
  const stored = createReadStream(path, {
    start: offset,
    end: offset + size - 1,
    highWaterMark: READ_SIZE,
    signal,
  });
  let count = 0;
  try {
    for await (const { length } of decompress(stored)) {
      count += length;
      budget.left -= length;
      if (budget.left < 0) throw tooLarge(`${contents.name}: the image`, budget.limit);
    }
    return count;
  } catch (cause) {
    throwIfAborted(signal);
    if (!(cause instanceof DenrootError) || cause.code === "limit") throw cause;
    throw new DenrootError(
      cause.code,
      `${contents.name}: the layer ${quoteText(name)} cannot be read: ${cause.message}`,
      { cause, hint: cause.hint },
    );
  }
}

function toManifest(config: Descriptor, layers: readonly Layer[]): StoredDocument {
  const mediaType = DOCKER_MANIFEST;
  // containers/image writes the fields in this order, and calls all layers compressed.
  const bytes = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: config.mediaType, size: config.size, digest: config.digest },
    layers: layers.map(({ stored, shownSize }) => ({
      mediaType: DOCKER_LAYER,
      size: shownSize,
      digest: stored.digest,
    })),
  }));
  return { mediaType, digest: digestOf(bytes), bytes };
}

function inParts<T>(all: readonly T[], size: number): T[][] {
  const count = Math.ceil(all.length / size);
  return Array.from({ length: count }, (_, part) => all.slice(part * size, (part + 1) * size));
}

function wrongCount(
  contents: ArchiveContents,
  diffIds: readonly string[],
  layers: readonly string[],
): DenrootError {
  return new DenrootError(
    "manifest",
    `${contents.name}: the image's configuration names ${diffIds.length} layers, but ` +
      `manifest.json names ${layers.length}`,
  );
}
