/** What refers to a document (distribution-spec, "Listing Referrers"). */

import { hasCode } from "../../../errors.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import { OCI_INDEX } from "../../../oci/media_types.ts";
import { MAX_INDEX_ENTRIES, parseManifestOrIndex } from "../../../oci/parse_manifest.ts";
import { referrersTag } from "../../../oci/referrer_tags.ts";
import type { Digest, IndexEntry } from "../../../types/image.ts";
import type { Endpoints } from "../mirrors/endpoints.ts";
import { fetchDocument } from "./fetch_document.ts";
import { Pages, tooMany } from "./pages.ts";

/** The lists of referrers of one repository's documents. */
export class ReferrerLists {
  readonly #image: string;
  readonly #endpoints: Endpoints;
  /** Whether a registry without this list was met: it has none for other documents either. */
  #haveTags = false;

  constructor(image: string, endpoints: Endpoints) {
    this.#image = image;
    this.#endpoints = endpoints;
  }

  /**
   * All referrers, each once. A registry without such lists has an index under a tag instead, which
   * clients keep. Throws what requests throw, `limit` for too many referrers.
   */
  async of(digest: Digest, signal: AbortSignal): Promise<readonly IndexEntry[]> {
    const listed = this.#haveTags ? undefined : await this.#list(digest, signal);
    if (listed !== undefined) return listed;
    this.#haveTags = true;
    try {
      const tag = referrersTag(digest);
      const { bytes, mediaType } = await fetchDocument(tag, this.#image, this.#endpoints, signal);
      // Some registries answer each tag with an image. A list is an index.
      const parsed = parseManifestOrIndex(bytes, mediaType);
      return parsed.kind === "index" ? parsed.index.manifests : [];
    } catch (error) {
      if (hasCode(error, "not_found")) return [];
      throw error;
    }
  }

  /** Undefined when the registry does not know such lists. */
  async #list(digest: Digest, signal: AbortSignal): Promise<readonly IndexEntry[] | undefined> {
    const what = `What refers to ${digest} in ${this.#image}`;
    const attempts = this.#endpoints.attempts(what);
    const path = `referrers/${digest}`;
    const list = { what, path, accept: OCI_INDEX, request: { actions: ["pull"] } } as const;
    let pages = new Pages(attempts.endpoint, list);
    let found = new Map<Digest, IndexEntry>();
    for (;;) {
      try {
        if (pages.endpoint !== attempts.endpoint) {
          pages = new Pages(attempts.endpoint, list);
          found = new Map();
        }
        const parsed = parseManifestOrIndex(await pages.readNext(signal), OCI_INDEX);
        if (parsed.kind !== "index") throw noList(what);
        for (const entry of parsed.index.manifests) found.set(entry.digest, entry);
        if (found.size > MAX_INDEX_ENTRIES) throw tooMany(what, `more than ${MAX_INDEX_ENTRIES}`);
        if (pages.areComplete) return [...found.values()];
        attempts.forgive();
      } catch (error) {
        // A mirror may know less than the image's own registry, which comes last.
        if (isUnknownRequest(error) && !attempts.endpoint.isMirror) return undefined;
        await attempts.recover(error, signal);
      }
    }
  }
}

function noList(what: string): TransferError {
  return new TransferError("registry", `${what}: a manifest came in place of the list`, {
    status: 200,
  });
}

/** Registries that know no such lists answer in many ways, with a web page too. */
function isUnknownRequest(error: unknown): boolean {
  if (!(error instanceof TransferError)) return false;
  return [200, 400, 404, 405, 406, 501].includes(error.status ?? 0) &&
    (error.code === "registry" || error.code === "not_found");
}
