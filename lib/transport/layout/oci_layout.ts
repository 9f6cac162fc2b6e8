/** Opens an image layout in a directory: `oci:PATH`. */

import type { OciReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import { throwIfAborted } from "../../errors.ts";
import { filesOfDirectory } from "../image_files.ts";
import { openLayout } from "./source.ts";
import type { SourceContext } from "../source_context.ts";

/** Throws what `filesOfDirectory` throws, and what `openLayout` throws without a layout. */
export async function openOciLayout(
  reference: OciReference,
  { signal }: SourceContext,
): Promise<ImageSource> {
  throwIfAborted(signal);
  return await openLayout(filesOfDirectory(reference.path), reference);
}
