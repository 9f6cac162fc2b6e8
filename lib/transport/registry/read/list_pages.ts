/** Lists that a registry sends in pages: the tags of a repository, the repositories. */

import { Fields, parseJsonObject } from "../../../oci/json_fields.ts";
import { quoteText } from "../../../text/quote_text.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";
import { Pages, tooMany } from "./pages.ts";

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
  /** Whether the list is the registry's own, and no repository's. */
  readonly isCatalog?: boolean;
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
  let [pages, names] = [pagesOf(kind, attempts.endpoint), new Set<string>()];
  for (;;) {
    try {
      if (pages.endpoint !== attempts.endpoint) {
        [pages, names] = [pagesOf(kind, attempts.endpoint), new Set()];
      }
      for (const name of parseNames(await pages.readNext(signal), kind)) names.add(name);
      checkCount(names, kind, pages.endpoint);
      if (pages.areComplete) return { names: [...names], endpoint: pages.endpoint };
      attempts.forgive();
    } catch (error) {
      await attempts.recover(error, signal);
    }
  }
}

function pagesOf({ what, path, isCatalog = false }: ListKind, endpoint: RegistryEndpoint): Pages {
  const perPage = endpoint.limits.namesPerPage;
  return new Pages(endpoint, what, path, { accept: "application/json", perPage, isCatalog });
}

function checkCount(
  names: ReadonlySet<string>,
  { what, item }: ListKind,
  { limits }: RegistryEndpoint,
): void {
  if (names.size <= limits.listedNames) return;
  throw tooMany(what, `more than ${limits.listedNames} names, each of a ${item}`);
}

/** The list is null in a repository that has lost all its tags. */
function parseNames(bytes: Uint8Array, { what, item, field, form }: ListKind): readonly string[] {
  const names = new Fields(parseJsonObject(bytes, what), what).strings(field);
  const wrong = names.find((name) => !form.test(name));
  if (wrong === undefined) return names;
  throw new TransferError("registry", `${what}: ${quoteText(wrong)} is not a valid ${item}`);
}
