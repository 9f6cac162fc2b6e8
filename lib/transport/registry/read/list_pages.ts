/** Names that a registry lists in pages: the tags of a repository, the repositories. */

import { Fields, parseJsonObject } from "../../../oci/json_fields.ts";
import { quoteText } from "../../../text/quote_text.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";
import { type PagedList, Pages, tooMany } from "./pages.ts";

/** A list of names. */
export interface ListKind extends Pick<PagedList, "what" | "path" | "request"> {
  /** What it lists, for messages: `tag`. */
  readonly item: string;
  /** The field of the answer that has the names. */
  readonly field: string;
  readonly form: RegExp;
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
  let [pages, names] = [pagesOf(attempts.endpoint, kind), new Set<string>()];
  for (;;) {
    try {
      const { endpoint } = attempts;
      if (pages.endpoint !== endpoint) [pages, names] = [pagesOf(endpoint, kind), new Set()];
      for (const name of parseNames(await pages.readNext(signal), kind)) names.add(name);
      const { listedNames } = endpoint.limits;
      if (names.size > listedNames) {
        throw tooMany(kind.what, `more than ${listedNames} names, each of a ${kind.item}`);
      }
      if (pages.areComplete) return { names: [...names], endpoint };
      attempts.forgive();
    } catch (error) {
      await attempts.recover(error, signal);
    }
  }
}

function pagesOf(endpoint: RegistryEndpoint, kind: ListKind): Pages {
  const { namesPerPage: itemsPerPage } = endpoint.limits;
  return new Pages(endpoint, { ...kind, itemsPerPage, accept: "application/json" });
}

/** The list is null in a repository that has lost all its tags. */
function parseNames(bytes: Uint8Array, { what, item, field, form }: ListKind): readonly string[] {
  const names = new Fields(parseJsonObject(bytes, what), what).strings(field);
  const wrong = names.find((name) => !form.test(name));
  if (wrong === undefined) return names;
  throw new TransferError("registry", `${what}: ${quoteText(wrong)} is not a valid ${item}`);
}
