/** Reads an image of an engine: the archive that the engine sends is put into the blob store. */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { DenrootError, hasCode } from "../../errors.ts";
import { blobPath } from "../../oci/digest.ts";
import { quotePath } from "../../text/quote_text.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Platform } from "../../types/image.ts";
import type { EngineReference } from "../../types/reference.ts";
import type { BlobStore, ImageRoot, ImageSource } from "../../types/source.ts";
import { ArchiveContents } from "../archive/archive_contents.ts";
import { readArchiveStream } from "../archive/read_archive_stream.ts";
import { sourceOfSavedImage } from "../archive/source.ts";
import type { SourceContext } from "../source_context.ts";
import type { Engine, EngineImage } from "./engine.ts";

/**
 * Asks the engine for nothing before `root` is called. The engine sends no archive when the image's
 * configuration and layers are in the store already. When the engine has the image for several
 * platforms, it is asked for that of `context`.
 */
export function engineSource(
  engine: Engine,
  reference: EngineReference,
  context: SourceContext,
): ImageSource {
  let saved: ImageSource | undefined;
  return {
    reference,
    uri: formatReference(reference),
    async root(signal) {
      const image = await inspect(engine, reference, context.platform, signal);
      const use = (contents: ArchiveContents) => {
        saved = sourceOfSavedImage(contents, {}, reference, context);
        return saved.root(signal);
      };
      const stored = storedImage(image, engine.name, context.blobs);
      return await (stored && unlessDamaged(use(stored))) ??
        await use(await saveImage(engine, image, { ...context, signal }));
    },
    document: (descriptor, signal) => rooted(saved).document(descriptor, signal),
    contentOf: (image, signal) => rooted(saved).contentOf!(image, signal),
    place(descriptor) {
      // A blob in the cache is read by way of the cache, which removes damaged copies.
      if (context.blobs.find(descriptor) !== undefined) return undefined;
      const place = saved?.place?.(descriptor);
      if (place?.type === "file" && !fs.existsSync(place.path)) throw lost();
      return place;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function rooted(saved: ImageSource | undefined): ImageSource {
  if (saved === undefined) throw new TypeError("root() was not called before");
  return saved;
}

async function inspect(
  engine: Engine,
  { scheme, image }: EngineReference,
  platform: Platform,
  signal: AbortSignal,
): Promise<EngineImage> {
  try {
    return await engine.inspect(image, platform, signal);
  } catch (cause) {
    if (!hasCode(cause, "not_found")) throw cause;
    const program = scheme === "podman" ? "podman" : "docker";
    throw new DenrootError(
      "not_found",
      `There is no image ${quotePath(image)}: ${cause.message}`,
      {
        cause,
        hint:
          `List the images with ${program} image ls; fetch one with ${program} pull, or import ` +
          "it from its registry with docker://IMAGE",
      },
    );
  }
}

async function saveImage(
  engine: Engine,
  image: EngineImage,
  context: SourceContext,
): Promise<ArchiveContents> {
  context.onProgress?.({
    type: "log",
    level: "info",
    message: `Reading the image from ${engine.name}`,
  });
  const bytes = engine.save(image, context.signal);
  try {
    return await readArchiveStream(bytes, archiveName(engine.name), context);
  } finally {
    // This waits until the engine has removed its temporary files.
    await bytes.return?.();
  }
}

/** Gives undefined when the blobs in the store are damaged: the image is then read again. */
async function unlessDamaged(root: Promise<ImageRoot>): Promise<ImageRoot | undefined> {
  try {
    return await root;
  } catch (error) {
    if (error instanceof DenrootError && error.code !== "aborted") return undefined;
    throw error;
  }
}

/**
 * Gives the archive that the engine would send; undefined unless the store has the configuration and
 * all layers. It never has the configuration when the engine's ID is the digest of a manifest.
 */
function storedImage(
  { id, diffIds }: EngineImage,
  name: string,
  blobs: BlobStore,
): ArchiveContents | undefined {
  const contents = new ArchiveContents(archiveName(name), blobs);
  for (const digest of new Set([id, ...diffIds])) {
    const path = blobs.find({ digest });
    if (path === undefined) return undefined;
    addFile(contents, blobPath(digest), { path, offset: 0 }, fs.statSync(path).size);
  }
  const list = [{ Config: blobPath(id), Layers: diffIds.map(blobPath) }];
  const bytes = Buffer.from(JSON.stringify(list));
  addFile(contents, "manifest.json", { bytes }, bytes.length);
  return contents;
}

function archiveName(engine: string): string {
  return `The archive from ${engine}`;
}

function lost(): DenrootError {
  const message =
    "The blob is no longer in the cache: it was damaged, or something else removed it";
  return new DenrootError("not_found", message, {
    hint: "Try again: denroot then asks the engine for the image again",
  });
}

function addFile(
  contents: ArchiveContents,
  path: string,
  stored: Parameters<ArchiveContents["add"]>[1],
  size: number,
): void {
  contents.add({ type: "file", path, linkPath: "", size }, stored);
}
