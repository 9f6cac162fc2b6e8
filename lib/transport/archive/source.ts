/** An archive of `docker save`: `docker-archive:PATH` -> `Source`. */

import { formatReference } from "../../reference/format_reference.ts";
import type { Digest } from "../../types/image.ts";
import type { DockerArchiveReference } from "../../types/reference.ts";
import type { FileBlob, Source } from "../../types/source.ts";
import type { ArchiveContents } from "./archive_contents.ts";
import { openArchive } from "./open_archive.ts";
import { resolveSavedImage } from "./resolve_saved_image.ts";
import { type ImageChoice, readSavedImages } from "./saved_image.ts";
import type { SourceContext } from "../source_context.ts";

/** Throws what `openArchive` and `readSavedImages` throw. */
export async function openDockerArchive(
  reference: DockerArchiveReference,
  context: SourceContext,
): Promise<Source> {
  const contents = await openArchive(reference.path, context);
  return await contents.openAs(() => {
    readSavedImages(contents);
    return sourceOfArchive(contents, reference, context);
  });
}

/** An image of an archive that lies at a path, and the others that are in it. */
export function sourceOfArchive(
  contents: ArchiveContents,
  reference: DockerArchiveReference,
  context: SourceContext,
): Source {
  const { scheme, path } = reference;
  return {
    ...sourceOfSavedImage(contents, reference, formatReference(reference), context),
    // deno-lint-ignore require-await -- what it throws is to be a rejection
    tags: async () => [...new Set(readSavedImages(contents).flatMap(({ tags }) => tags))],
    at: (image) => sourceOfArchive(contents, { scheme, path, image }, context),
  };
}

/** An image of an archive as `docker save` writes it, wherever that came from. */
export function sourceOfSavedImage(
  contents: ArchiveContents,
  choice: ImageChoice,
  uri: string,
  { settings }: SourceContext,
): Source {
  let blobs: ReadonlyMap<Digest, FileBlob> = new Map();
  return {
    uri,
    async resolve(_platform, signal) {
      const resolved = await resolveSavedImage(contents, choice, settings, signal);
      blobs = resolved.blobs;
      return resolved.image;
    },
    local: ({ digest }) => blobs.get(digest),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
