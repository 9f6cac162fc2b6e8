/** A repository's tags (distribution-spec, "Listing Tags"): page after page. */

import { Fields, parseJsonObject } from "../../../oci/json_fields.ts";
import { quoteText } from "../../../text/quote_text.ts";
import type { OnProgress } from "../../../types/progress.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { readJsonAnswer } from "../answer.ts";
import { responseError } from "../response_error.ts";
import { shownUrl, TransferError } from "../../../http/transfer_error.ts";

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
  let pages = new TagPages(attempts.endpoint, what);
  for (;;) {
    try {
      if (pages.endpoint !== attempts.endpoint) pages = new TagPages(attempts.endpoint, what);
      await pages.readNext(signal);
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
  return [...pages.tags];
}

/** The pages of one endpoint, and the tags that they had so far. */
class TagPages {
  readonly endpoint: RegistryEndpoint;
  readonly tags = new Set<string>();
  areComplete = false;
  readonly #what: string;
  readonly #seen = new Set<string>();
  #next: URL | undefined;

  constructor(endpoint: RegistryEndpoint, what: string) {
    this.endpoint = endpoint;
    this.#what = what;
  }

  async readNext(signal: AbortSignal): Promise<void> {
    const { client, limits } = this.endpoint;
    const request = { headers: { accept: "application/json" }, actions: ["pull"], signal } as const;
    const response = this.#next === undefined
      ? await client.request("GET", `tags/list?n=${limits.tagsPerPage}`, request)
      : await client.requestUrl("GET", this.#next, request);
    if (response.status !== 200) throw await responseError(response, this.#what, limits);
    const tooLong = () =>
      tooMany(this.#what, `a page of more than ${limits.tagPageBytes / 2 ** 20} MiB`);
    const bytes = await readJsonAnswer(response, this.#what, limits.tagPageBytes, tooLong);
    for (const tag of parseTags(bytes, this.#what)) this.tags.add(tag);
    if (this.tags.size > limits.tags) throw tooMany(this.#what, `more than ${limits.tags} tags`);
    this.#goTo(nextPage(response));
  }

  #goTo(next: URL | undefined): void {
    this.#next = next;
    this.areComplete = next === undefined;
    if (next === undefined) return;
    const { client, limits } = this.endpoint;
    if (!client.mayFetch(next) && !client.isOwn(next)) throw notSecure(this.#what, next);
    if (this.#seen.has(next.href)) throw repeats(this.#what, next);
    this.#seen.add(next.href);
    if (this.#seen.size >= limits.tagPages) {
      throw tooMany(this.#what, `more than ${limits.tagPages} pages`);
    }
  }
}

/** `tags` is null in a repository that has lost all its tags. */
function parseTags(bytes: Uint8Array, what: string): readonly string[] {
  const tags = new Fields(parseJsonObject(bytes, what), what).strings("tags");
  const wrong = tags.find((tag) => !/^\w[\w.-]{0,127}$/.test(tag));
  if (wrong === undefined) return tags;
  throw new TransferError("registry", `${what}: ${quoteText(wrong)} is not a valid tag`);
}

/** The target of `Link: <…>; rel="next"` (RFC 8288). The specification has relative targets. */
function nextPage(response: HttpResponse): URL | undefined {
  for (const value of response.headers("link")) {
    for (const [, target, parameters] of value.matchAll(/<([^<>]*)>([^<]*)/g)) {
      if (!/;\s*rel\s*=\s*"?(?:[^";,]*\s)?next\b/i.test(parameters!)) continue;
      const url = URL.parse(target!, response.url);
      if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
      // A registry behind a proxy that ends TLS writes http:// in its own URLs.
      if (url.host === response.url.host) url.protocol = response.url.protocol;
      url.username = url.password = url.hash = "";
      return url;
    }
  }
  return undefined;
}

function tooMany(what: string, much: string): TransferError {
  return new TransferError("limit", `${what}: the registry sent ${much}`);
}

function notSecure(what: string, url: URL): TransferError {
  return new TransferError(
    "registry",
    `${what}: the next page is on a plain HTTP server: ${shownUrl(url)}`,
    {
      hint: "If you trust that host and the network, set ENROOT_ALLOW_HTTP=yes",
    },
  );
}

function repeats(what: string, url: URL): TransferError {
  return new TransferError(
    "registry",
    `${what}: the registry sends the page ${shownUrl(url)} again and again`,
  );
}
