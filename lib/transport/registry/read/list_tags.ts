/** A repository's tags (distribution-spec, "Listing Tags"): page after page. */

import { Fields, parseJsonObject } from "../../../oci/json_fields.ts";
import { quoteText } from "../../../text/quote_text.ts";
import type { OnProgress } from "../../../types/progress.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { responseError } from "../response_error.ts";
import { shownUrl, TransferError } from "../../../http/transfer_error.ts";

/**
 * Each tag once, in the registry's order, all from the first place that answers; a mirror, which may
 * not have all of them, is told of. A page that fails is asked for again; at another place the list
 * begins anew.
 */
export async function listTags(
  image: string,
  endpoints: Endpoints,
  signal: AbortSignal,
  onProgress?: OnProgress,
): Promise<readonly string[]> {
  const what = `The tags of ${image}`;
  const attempts = endpoints.attempts(what);
  let list = new TagList(attempts.endpoint, what);
  for (;;) {
    try {
      if (list.endpoint !== attempts.endpoint) list = new TagList(attempts.endpoint, what);
      await list.readPage(signal);
      if (list.isComplete) break;
      attempts.forgive();
    } catch (error) {
      await attempts.recover(error, signal);
    }
  }
  const { name, isMirror } = list.endpoint;
  if (isMirror) {
    onProgress?.({ type: "log", level: "info", message: `${what} as the mirror ${name} has them` });
  }
  return [...list.tags];
}

/** What one place has told so far. */
class TagList {
  readonly endpoint: RegistryEndpoint;
  readonly tags = new Set<string>();
  isComplete = false;
  readonly #what: string;
  readonly #pages = new Set<string>();
  #next: URL | undefined;

  constructor(endpoint: RegistryEndpoint, what: string) {
    this.endpoint = endpoint;
    this.#what = what;
  }

  async readPage(signal: AbortSignal): Promise<void> {
    const { client, limits } = this.endpoint;
    const headers = { accept: "application/json" };
    const response = this.#next === undefined
      ? await client.get(`tags/list?n=${limits.tagsPerPage}`, headers, signal)
      : await client.getUrl(this.#next, headers, signal);
    if (response.status !== 200) throw await responseError(response, this.#what, limits);
    const bytes = await response.body.bytes(
      limits.tagPageBytes,
      () => tooMany(this.#what, `pages of more than ${limits.tagPageBytes / 2 ** 20} MiB`),
    );
    for (const tag of parseTags(bytes, this.#what)) this.tags.add(tag);
    if (this.tags.size > limits.tags) throw tooMany(this.#what, `more than ${limits.tags}`);
    this.#goTo(nextPage(response));
  }

  #goTo(next: URL | undefined): void {
    this.#next = next;
    this.isComplete = next === undefined;
    if (next === undefined) return;
    const { client, limits } = this.endpoint;
    if (!client.mayFetch(next) && !client.isOwn(next)) throw notSecure(this.#what, next);
    if (this.#pages.has(next.href)) throw inACircle(this.#what, next);
    this.#pages.add(next.href);
    if (this.#pages.size >= limits.tagPages) {
      throw tooMany(this.#what, `more than ${limits.tagPages} pages`);
    }
  }
}

/** A repository that has lost all its tags has null. */
function parseTags(bytes: Uint8Array, what: string): readonly string[] {
  const tags = new Fields(parseJsonObject(bytes, what), what).strings("tags");
  const wrong = tags.find((tag) => !/^\w[\w.-]{0,127}$/.test(tag));
  if (wrong === undefined) return tags;
  throw new TransferError("registry", `${what}: ${quoteText(wrong)} is none`);
}

/** The target of `Link: <…>; rel="next"` (RFC 8288); relative ones are the specification's. */
function nextPage(response: HttpResponse): URL | undefined {
  for (const value of response.headers("link")) {
    for (const [, target, parameters] of value.matchAll(/<([^<>]*)>([^<]*)/g)) {
      if (!/;\s*rel\s*=\s*"?(?:[^";,]*\s)?next\b/i.test(parameters!)) continue;
      const url = URL.parse(target!, response.url);
      if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
      // Behind a proxy that ends TLS registries take themselves for plain HTTP ones.
      if (url.host === response.url.host) url.protocol = response.url.protocol;
      url.username = url.password = url.hash = "";
      return url;
    }
  }
  return undefined;
}

function tooMany(what: string, much: string): TransferError {
  return new TransferError("limit", `${what} are ${much}`);
}

function notSecure(what: string, url: URL): TransferError {
  return new TransferError("registry", `${what} go on at a plain HTTP server: ${shownUrl(url)}`, {
    hint: "If you trust that host and the network, set ENROOT_ALLOW_HTTP=yes",
  });
}

function inACircle(what: string, url: URL): TransferError {
  return new TransferError("registry", `${what} go round in a circle at ${shownUrl(url)}`);
}
