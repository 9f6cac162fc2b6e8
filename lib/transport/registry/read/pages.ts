/** A list that comes page after page, each with a link to the next (distribution-spec, `Link`). */

import type { HttpResponse } from "../../../http/client.ts";
import { shownUrl, TransferError } from "../../../http/transfer_error.ts";
import { readJsonAnswer } from "../answer.ts";
import type { RegistryEndpoint } from "../mirrors/endpoints.ts";
import { responseError } from "../response_error.ts";

/** The pages of one endpoint. A page that failed can be read again. */
export class Pages {
  readonly endpoint: RegistryEndpoint;
  areComplete = false;
  readonly #what: string;
  readonly #path: string;
  readonly #accept: string;
  readonly #seen = new Set<string>();
  #next: URL | undefined;

  /** `path` is that of the first page, below the repository. `what` names the list in messages. */
  constructor(endpoint: RegistryEndpoint, what: string, path: string, accept: string) {
    this.endpoint = endpoint;
    this.#what = what;
    this.#path = path;
    this.#accept = accept;
  }

  /** The next page, which is JSON. Throws what a failed request throws, and code `limit`. */
  async readNext(signal: AbortSignal): Promise<Uint8Array> {
    const { client, limits } = this.endpoint;
    const request = { headers: { accept: this.#accept }, actions: ["pull"], signal } as const;
    const response = this.#next === undefined
      ? await client.request("GET", this.#path, request)
      : await client.requestUrl("GET", this.#next, request);
    if (response.status !== 200) throw await responseError(response, this.#what, limits);
    const tooLong = () =>
      tooMany(this.#what, `a page of more than ${limits.pageBytes / 2 ** 20} MiB`);
    const bytes = await readJsonAnswer(response, this.#what, limits.pageBytes, tooLong);
    this.#goTo(nextPage(response));
    return bytes;
  }

  #goTo(next: URL | undefined): void {
    this.#next = next;
    this.areComplete = next === undefined;
    if (next === undefined) return;
    const { client, limits } = this.endpoint;
    if (!client.mayFetch(next) && !client.isOwn(next)) throw notSecure(this.#what, next);
    if (this.#seen.has(next.href)) throw repeats(this.#what, next);
    this.#seen.add(next.href);
    if (this.#seen.size >= limits.pages) {
      throw tooMany(this.#what, `more than ${limits.pages} pages`);
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
