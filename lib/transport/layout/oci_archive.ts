/** Opens an image layout in a tar file: `oci-archive:PATH`. */

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
  const contents = await openArchive(reference.path, context);
  const files = filesOfArchive(reference.path, contents);
  return await contents.openAs(() => openLayout(files, reference));
}
