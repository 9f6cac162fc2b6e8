/** An image layout in a directory: `oci:PATH` -> `Source`. */

import type { OciReference, Source } from "../types.ts";
import { throwIfAborted } from "./aborted.ts";
import { filesOfDirectory } from "./image_files.ts";
import { openLayout } from "./layout_source.ts";
import type { SourceContext } from "./source_context.ts";

/** Throws code `not_found` or `manifest` when the directory is no layout. */
export async function openOciLayout(
  reference: OciReference,
  { signal }: SourceContext,
): Promise<Source> {
  throwIfAborted(signal);
  return await openLayout(filesOfDirectory(reference.path), reference);
}
