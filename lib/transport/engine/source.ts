/** An image that an engine holds -> `ImageSource`: what the engine saves passes into the blob store. */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { DenrootError, hasCode } from "../../errors.ts";
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
 * The engine is asked for nothing before `root`, and saves nothing when its configuration and layers
 * came here before. An engine that has the image for several platforms hands out that of `context`.
 */
export function engineSource(
  engine: Engine,
  reference: EngineReference,
  context: SourceContext,
): ImageSource {
  const uri = formatReference(reference);
  let saved: ImageSource | undefined;
  return {
    uri,
    async root(signal) {
      const image = await inspect(engine, reference, context.platform, signal);
      const use = (contents: ArchiveContents) => {
        saved = sourceOfSavedImage(contents, {}, uri, context);
        return saved.root(signal);
      };
      const stored = storedImage(image, engine.name, context.blobs);
      return await (stored && unlessDamaged(use(stored))) ??
        await use(await saveImage(engine, image, { ...context, signal }));
    },
    document: (descriptor, signal) => rooted(saved).document(descriptor, signal),
    contentOf: (image, signal) => rooted(saved).contentOf!(image, signal),
    place(descriptor) {
      // The cache serves its own copies: it deletes damaged ones.
      if (context.blobs.find(descriptor) !== undefined) return undefined;
      const place = saved?.place?.(descriptor);
      if (place?.type === "file" && !fs.existsSync(place.path)) throw lost();
      return place;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function rooted(saved: ImageSource | undefined): ImageSource {
  if (saved === undefined) throw new TypeError("The root is asked for before what it names");
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
        hint: `${program} image ls lists what is there; ${program} pull fetches an image, and ` +
          "docker://IMAGE imports one from its registry",
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
    return await readArchiveStream(bytes, `What came from ${engine.name}`, context);
  } finally {
    // Not before the engine's own cleaning up is done.
    await bytes.return?.();
  }
}

/** Undefined when what the store has does not make the image: it is then read once more. */
async function unlessDamaged(root: Promise<ImageRoot>): Promise<ImageRoot | undefined> {
  try {
    return await root;
  } catch (error) {
    if (error instanceof DenrootError && error.code !== "aborted") return undefined;
    throw error;
  }
}

/**
 * The archive that the engine would write, when the store has all that would be in it: never so
 * where the ID is that of a manifest.
 */
function storedImage(
  { id, diffIds }: EngineImage,
  name: string,
  blobs: BlobStore,
): ArchiveContents | undefined {
  const contents = new ArchiveContents(`What came from ${name}`, blobs);
  for (const digest of new Set([id, ...diffIds])) {
    const path = blobs.find({ digest });
    if (path === undefined) return undefined;
    addFile(contents, nameOf(digest), { path, offset: 0 }, fs.statSync(path).size);
  }
  const list = [{ Config: nameOf(id), Layers: diffIds.map(nameOf) }];
  const bytes = Buffer.from(JSON.stringify(list));
  addFile(contents, "manifest.json", { bytes }, bytes.length);
  return contents;
}

function lost(): DenrootError {
  return new DenrootError("not_found", "The cache has lost it, or thrown it away as damaged", {
    hint: "Try again: the engine is then asked for the image once more",
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

function nameOf(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}
