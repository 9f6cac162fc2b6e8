/** An image layout in a directory: `oci:PATH` -> `ImageSource`. */

import type { OciReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import { throwIfAborted } from "../../errors.ts";
import { filesOfDirectory } from "../image_files.ts";
import { openLayout } from "./source.ts";
import type { SourceContext } from "../source_context.ts";

/** Throws code `not_found` or `manifest` when the directory is no layout. */
export async function openOciLayout(
  reference: OciReference,
  { signal }: SourceContext,
): Promise<ImageSource> {
  throwIfAborted(signal);
  return await openLayout(filesOfDirectory(reference.path), reference);
}
