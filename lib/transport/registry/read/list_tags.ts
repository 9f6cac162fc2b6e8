/** A repository's tags (distribution-spec, "Listing Tags"). */

import type { OnProgress } from "../../../types/progress.ts";
import type { Endpoints } from "../mirrors/endpoints.ts";
import { listPages } from "./list_pages.ts";

/** As `listPages` does it. A message tells when they come from a mirror, which may lack some tags. */
export async function listTags(
  image: string,
  endpoints: Endpoints,
  signal: AbortSignal,
  onProgress?: OnProgress,
): Promise<readonly string[]> {
  const what = `The tags of ${image}`;
  const { names, endpoint } = await listPages(
    {
      what,
      item: "tag",
      path: "tags/list",
      field: "tags",
      form: /^\w[\w.-]{0,127}$/,
    },
    endpoints,
    signal,
  );
  if (endpoint.isMirror) {
    const message = `${what} come from the mirror ${endpoint.name}`;
    onProgress?.({ type: "log", level: "info", message });
  }
  return names;
}
