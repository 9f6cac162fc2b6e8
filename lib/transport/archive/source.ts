/** Opens an archive of `docker save`: `docker-archive:PATH`. */

import { DenrootError } from "../../errors.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { DockerArchiveReference, Reference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import type { ArchiveContents } from "./archive_contents.ts";
import { openArchive } from "./open_archive.ts";
import { readSavedImage, type SavedImageContent } from "./read_saved_image.ts";
import { type ImageChoice, readSavedImages } from "./saved_image.ts";
import type { SourceContext } from "../source_context.ts";

/** Throws what `openArchive` and `readSavedImages` throw. */
export async function openDockerArchive(
  reference: DockerArchiveReference,
  context: SourceContext,
): Promise<ImageSource> {
  const contents = await openArchive(reference.path, context);
  return await contents.openAs(() => {
    readSavedImages(contents);
    return sourceOfArchive(contents, reference, context);
  });
}

/** Gives the source of an image in an archive at a path. Other images are found by their tags. */
export function sourceOfArchive(
  contents: ArchiveContents,
  reference: DockerArchiveReference,
  context: SourceContext,
): ImageSource {
  const { scheme, path } = reference;
  return {
    ...sourceOfSavedImage(contents, reference, reference, context),
    // deno-lint-ignore require-await -- turns a thrown error into a rejection
    tags: async () => [...new Set(readSavedImages(contents).flatMap(({ tags }) => tags))],
    at: (image) => sourceOfArchive(contents, { scheme, path, image }, context),
  };
}

/**
 * Gives the source of the image that `choice` means in an archive of `docker save`. The archive may
 * come from an engine: `reference` is then the engine's.
 */
export function sourceOfSavedImage(
  contents: ArchiveContents,
  choice: ImageChoice,
  reference: Reference,
  { settings }: Pick<SourceContext, "settings">,
): ImageSource {
  let image: SavedImageContent | undefined;
  const resolve = async (signal: AbortSignal) =>
    image ??= await readSavedImage(contents, choice, settings, signal);
  return {
    reference,
    uri: formatReference(reference),
    root: async (signal) => ({ document: (await resolve(signal)).document }),
    document: ({ digest }) => Promise.reject(noDocument(contents, digest)),
    contentOf: (_image, signal) => resolve(signal),
    place: ({ digest }) => image?.blobs.get(digest),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** The only manifest is the one that denroot makes; it names no other one. */
function noDocument(contents: ArchiveContents, digest: string): DenrootError {
  return new DenrootError("not_found", `${contents.name} has no manifest ${digest}`);
}
