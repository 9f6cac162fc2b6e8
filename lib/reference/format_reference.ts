/** Makes the canonical URI of a reference. */

import type { Reference } from "../types/reference.ts";
import { schemeOf } from "./schemes.ts";

/**
 * The canonical URI, without the user: `docker://REGISTRY#IMAGE:TAG`, `oci:PATH:TAG`. A digest wins
 * over the tag: `docker://REGISTRY#IMAGE@sha256:…`. Paths and the names of engines' images stay as
 * the user gave them.
 */
export function formatReference(reference: Reference): string {
  const scheme = schemeOf(reference);
  return `${scheme.prefix}${scheme.format(reference)}`;
}
