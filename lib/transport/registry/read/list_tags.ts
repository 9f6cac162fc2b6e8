/** A repository's tags (distribution-spec, "Listing Tags"): page after page. */

import { Fields, parseJsonObject } from "../../../oci/json_fields.ts";
import { quoteText } from "../../../text/quote_text.ts";
import type { OnProgress } from "../../../types/progress.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import { Pages, tooMany } from "./pages.ts";

/**
 * Each tag once, in the registry's order, all from the first endpoint that answers. A message tells
 * when this is a mirror, which may lack some tags. A page that failed is asked for again; at another
 * endpoint the list begins anew.
 */
export async function listTags(
  image: string,
  endpoints: Endpoints,
  signal: AbortSignal,
  onProgress?: OnProgress,
): Promise<readonly string[]> {
  const what = `The tags of ${image}`;
  const attempts = endpoints.attempts(what);
  let [pages, tags] = [pagesOf(attempts.endpoint, what), new Set<string>()];
  for (;;) {
    try {
      if (pages.endpoint !== attempts.endpoint) {
        [pages, tags] = [pagesOf(attempts.endpoint, what), new Set()];
      }
      const { limits } = pages.endpoint;
      for (const tag of parseTags(await pages.readNext(signal), what)) tags.add(tag);
      if (tags.size > limits.tags) throw tooMany(what, `more than ${limits.tags} tags`);
      if (pages.areComplete) break;
      attempts.forgive();
    } catch (error) {
      await attempts.recover(error, signal);
    }
  }
  const { name, isMirror } = pages.endpoint;
  if (isMirror) {
    onProgress?.({ type: "log", level: "info", message: `${what} come from the mirror ${name}` });
  }
  return [...tags];
}

function pagesOf(endpoint: RegistryEndpoint, what: string): Pages {
  return new Pages(
    endpoint,
    what,
    `tags/list?n=${endpoint.limits.tagsPerPage}`,
    "application/json",
  );
}

/** `tags` is null in a repository that has lost all its tags. */
function parseTags(bytes: Uint8Array, what: string): readonly string[] {
  const tags = new Fields(parseJsonObject(bytes, what), what).strings("tags");
  const wrong = tags.find((tag) => !/^\w[\w.-]{0,127}$/.test(tag));
  if (wrong === undefined) return tags;
  throw new TransferError("registry", `${what}: ${quoteText(wrong)} is not a valid tag`);
}
