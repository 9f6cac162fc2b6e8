/** `ostree:NAME[:TAG][@/REPOSITORY]`: an image in an ostree repository. */

import type { OstreeReference } from "../types/reference.ts";
import { parseImageName, versionOf } from "./image_name.ts";

const SCHEME = "ostree";
export const DEFAULT_OSTREE_REPOSITORY = "/ostree/repo";

/** Reads what follows the scheme. A name without a tag is `:latest`. */
export function parseOstreeReference(text: string): OstreeReference {
  const start = SCHEME.length + 1;
  const at = text.indexOf("@/", start);
  const end = at < 0 ? text.length : at;
  const name = parseImageName(text, start, end);
  const given = text.slice(start, end);
  const isNameOnly = name.tag === undefined && name.digest === undefined;
  return {
    scheme: SCHEME,
    image: isNameOnly ? given + versionOf(name) : given,
    repository: at < 0 ? DEFAULT_OSTREE_REPOSITORY : text.slice(at + 1),
  };
}
