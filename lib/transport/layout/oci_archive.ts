/** Opens an image layout in a tar file: `oci-archive:PATH`. */

import { hasCode } from "../../errors.ts";
import type { OciReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import { openArchive } from "../archive/open_archive.ts";
import { filesOfArchive } from "../image_files.ts";
import { openLayout } from "./source.ts";
import type { SourceContext } from "../source_context.ts";

/** Throws what `openArchive` throws, and what `openLayout` throws when the archive has no layout. */
export async function openOciArchive(
  reference: OciReference,
  context: SourceContext,
): Promise<ImageSource> {
  return (await openArchiveFiles(reference, context)).source;
}

export interface ArchiveLayout {
  readonly source: ImageSource;
  /** Reads a further file of the archive; undefined when there is none, or it is larger than `limit`. */
  read(name: string, limit: number): Promise<Uint8Array | undefined>;
}

/** As {@link openOciArchive}, for archives that hold more than a layout. */
export async function openArchiveFiles(
  reference: OciReference,
  context: SourceContext,
): Promise<ArchiveLayout> {
  const contents = await openArchive(reference.path, context);
  const files = filesOfArchive(reference.path, contents);
  const source = await contents.openAs(() => openLayout(files, reference));
  return {
    source,
    async read(name, limit) {
      try {
        return await files.read(name, limit);
      } catch (error) {
        if (hasCode(error, "not_found") || hasCode(error, "limit")) return undefined;
        throw error;
      }
    },
  };
}
