/** Lists that a registry sends in pages: the tags of a repository, the repositories. */

import { Fields, parseJsonObject } from "../../../oci/json_fields.ts";
import { quoteText } from "../../../text/quote_text.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { shownUrl, TransferError } from "../../../http/transfer_error.ts";
import { readJsonAnswer } from "../answer.ts";
import type { RegistryRequest } from "../registry_client.ts";
import { responseError } from "../response_error.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";

/** One kind of list. */
export interface ListKind {
  /** What messages call the list: `The tags of team/app`. */
  readonly what: string;
  /** What it lists, for messages: `tag`. */
  readonly item: string;
  /** The path that the client asks for. */
  readonly path: string;
  /** The field of the answer that has the names. */
  readonly field: string;
  readonly form: RegExp;
  readonly request: Pick<RegistryRequest, "actions" | "isCatalog">;
}

/** What a registry listed, and the endpoint that did. */
export interface ListedNames {
  readonly names: readonly string[];
  readonly endpoint: RegistryEndpoint;
}

/**
 * Each name once, in the registry's order, all from the first endpoint that answers. A page that
 * failed is asked for again; at another endpoint the list begins anew.
 */
export async function listPages(
  kind: ListKind,
  endpoints: Endpoints,
  signal: AbortSignal,
): Promise<ListedNames> {
  const attempts = endpoints.attempts(kind.what);
  let pages = new Pages(attempts.endpoint, kind);
  for (;;) {
    try {
      if (pages.endpoint !== attempts.endpoint) pages = new Pages(attempts.endpoint, kind);
      await pages.readNext(signal);
      if (pages.areComplete) return { names: [...pages.names], endpoint: pages.endpoint };
      attempts.forgive();
    } catch (error) {
      await attempts.recover(error, signal);
    }
  }
}

/** The pages of one endpoint, and the names that they had so far. */
class Pages {
  readonly endpoint: RegistryEndpoint;
  readonly names = new Set<string>();
  areComplete = false;
  readonly #kind: ListKind;
  readonly #seen = new Set<string>();
  #next: URL | undefined;

  constructor(endpoint: RegistryEndpoint, kind: ListKind) {
    this.endpoint = endpoint;
    this.#kind = kind;
  }

  async readNext(signal: AbortSignal): Promise<void> {
    const { limits } = this.endpoint;
    const { what, item } = this.#kind;
    const response = await this.#request(signal);
    if (response.status !== 200) throw await responseError(response, what, limits);
    const tooLong = () =>
      tooMany(what, `a page of more than ${limits.listPageBytes / 2 ** 20} MiB`);
    const bytes = await readJsonAnswer(response, what, limits.listPageBytes, tooLong);
    for (const name of parseNames(bytes, this.#kind)) this.names.add(name);
    if (this.names.size > limits.listedNames) {
      throw tooMany(what, `more than ${limits.listedNames} names, each of a ${item}`);
    }
    this.#goTo(nextPage(response));
  }

  async #request(signal: AbortSignal): Promise<HttpResponse> {
    const { client, limits } = this.endpoint;
    const { path, request: kind } = this.#kind;
    const request = { headers: { accept: "application/json" }, ...kind, signal };
    if (this.#next !== undefined) return await client.requestUrl("GET", this.#next, request);
    const response = await client.request("GET", `${path}?n=${limits.namesPerPage}`, request);
    if (response.status !== 400) return response;
    // A registry may allow smaller pages only (PAGINATION_NUMBER_INVALID): let it choose.
    await response.body.textStart(limits.errorBytes);
    return await client.request("GET", path, request);
  }

  #goTo(next: URL | undefined): void {
    this.#next = next;
    this.areComplete = next === undefined;
    if (next === undefined) return;
    const { client, limits } = this.endpoint;
    const { what } = this.#kind;
    if (!client.mayFetch(next) && !client.isOwn(next)) throw notSecure(what, next);
    if (this.#seen.has(next.href)) throw repeats(what, next);
    this.#seen.add(next.href);
    if (this.#seen.size >= limits.listPages) {
      throw tooMany(what, `more than ${limits.listPages} pages`);
    }
  }
}

/** The list is null in a repository that has lost all its tags. */
function parseNames(bytes: Uint8Array, { what, item, field, form }: ListKind): readonly string[] {
  const names = new Fields(parseJsonObject(bytes, what), what).strings(field);
  const wrong = names.find((name) => !form.test(name));
  if (wrong === undefined) return names;
  throw new TransferError("registry", `${what}: ${quoteText(wrong)} is not a valid ${item}`);
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
