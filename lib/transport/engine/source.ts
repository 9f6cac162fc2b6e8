/** An image that an engine holds -> `Source`: what the engine saves passes into the blob store. */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import { DenrootError, hasCode } from "../../errors.ts";
import { quotePath } from "../../text/quote_text.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Platform, ResolvedImage } from "../../types/image.ts";
import type { EngineReference } from "../../types/reference.ts";
import type { BlobStore, Source } from "../../types/source.ts";
import { ArchiveContents } from "../archive/archive_contents.ts";
import { readArchiveStream } from "../archive/read_archive_stream.ts";
import { sourceOfSavedImage } from "../archive/source.ts";
import type { SourceContext } from "../source_context.ts";
import type { Engine, EngineImage } from "./engine.ts";

/**
 * Nothing is asked of the engine before `resolve`; nothing is saved when configuration and layers
 * have come before.
 */
export function engineSource(
  engine: Engine,
  reference: EngineReference,
  context: SourceContext,
): Source {
  const uri = formatReference(reference);
  let saved: Source | undefined;
  return {
    uri,
    async resolve(platform, signal) {
      const image = await inspect(engine, reference, platform, signal);
      const use = (contents: ArchiveContents) => {
        saved = sourceOfSavedImage(contents, {}, uri, context);
        return saved.resolve(platform, signal);
      };
      const stored = storedImage(image, engine.name, context.blobs);
      return await (stored && unlessDamaged(use(stored))) ??
        await use(await saveImage(engine, image, { ...context, signal }));
    },
    local(descriptor) {
      // What the store has under its own digest is the store's: it throws away what is damaged.
      if (context.blobs.find(descriptor) !== undefined) return undefined;
      const place = saved?.local?.(descriptor);
      if (place?.type === "file" && !fs.existsSync(place.path)) throw lost();
      return place;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
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
async function unlessDamaged(resolved: Promise<ResolvedImage>): Promise<ResolvedImage | undefined> {
  try {
    return await resolved;
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
