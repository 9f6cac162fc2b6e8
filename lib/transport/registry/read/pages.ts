/** A list that comes page after page, each with a link to the next (distribution-spec, `Link`). */

import type { HttpResponse } from "../../../http/client.ts";
import { shownUrl, TransferError } from "../../../http/transfer_error.ts";
import { readJsonAnswer } from "../answer.ts";
import type { RegistryEndpoint } from "../mirrors/endpoints.ts";
import { responseError } from "../response_error.ts";

export interface PagesOptions {
  /** The media type that is asked for. */
  readonly accept: string;
  /** How many things to ask for in one page. */
  readonly perPage?: number;
  /** Whether the path is that of the registry's list of repositories, and below no repository. */
  readonly isCatalog?: boolean;
}

/** The pages of one endpoint. A page that failed can be read again. */
export class Pages {
  readonly endpoint: RegistryEndpoint;
  areComplete = false;
  readonly #what: string;
  readonly #path: string;
  readonly #options: PagesOptions;
  readonly #seen = new Set<string>();
  #next: URL | undefined;

  /** `path` is that of the first page, below the repository. `what` names the list in messages. */
  constructor(endpoint: RegistryEndpoint, what: string, path: string, options: PagesOptions) {
    this.endpoint = endpoint;
    this.#what = what;
    this.#path = path;
    this.#options = options;
  }

  /** The next page, which is JSON. Throws what a failed request throws, and code `limit`. */
  async readNext(signal: AbortSignal): Promise<Uint8Array> {
    const { limits } = this.endpoint;
    const response = await this.#request(signal);
    if (response.status !== 200) throw await responseError(response, this.#what, limits);
    const tooLong = () =>
      tooMany(this.#what, `a page of more than ${limits.listPageBytes / 2 ** 20} MiB`);
    const bytes = await readJsonAnswer(response, this.#what, limits.listPageBytes, tooLong);
    this.#goTo(nextPage(response));
    return bytes;
  }

  async #request(signal: AbortSignal): Promise<HttpResponse> {
    const { client, limits } = this.endpoint;
    const { accept, perPage, isCatalog = false } = this.#options;
    const actions = [isCatalog ? "*" : "pull"] as const;
    const request = { headers: { accept }, actions, isCatalog, signal };
    if (this.#next !== undefined) return await client.requestUrl("GET", this.#next, request);
    if (perPage === undefined) return await client.request("GET", this.#path, request);
    const response = await client.request("GET", `${this.#path}?n=${perPage}`, request);
    if (response.status !== 400) return response;
    // A registry may allow smaller pages only (PAGINATION_NUMBER_INVALID): let it choose.
    await response.body.textStart(limits.errorBytes);
    return await client.request("GET", this.#path, request);
  }

  #goTo(next: URL | undefined): void {
    this.#next = next;
    this.areComplete = next === undefined;
    if (next === undefined) return;
    const { client, limits } = this.endpoint;
    if (!client.mayFetch(next) && !client.isOwn(next)) throw notSecure(this.#what, next);
    if (this.#seen.has(next.href)) throw repeats(this.#what, next);
    this.#seen.add(next.href);
    if (this.#seen.size >= limits.listPages) {
      throw tooMany(this.#what, `more than ${limits.listPages} pages`);
    }
  }
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

export function tooMany(what: string, much: string): TransferError {
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
