/** `oci:PATH[:TAG][@DIGEST]`, `oci:PATH:@INDEX`: an image in an OCI layout; `oci-archive:` in a tar. */

import type { OciReference } from "../types/reference.ts";
import { badReference, checkDigest, checkIndex, checkPath, findDigest } from "./rules.ts";

/** An image-layout's names may be whole references: `docker.io/library/alpine:3`. */
const NAME_LIMIT = 512;

/**
 * Reads what follows the scheme. As in skopeo the first colon ends the path, because names in a
 * layout may contain colons and slashes; a path with a colon in it is reached by a link.
 */
export function parseOciReference(text: string, scheme: OciReference["scheme"]): OciReference {
  const start = scheme.length + 1;
  const found = findDigest(text.slice(start));
  const end = found === undefined ? text.length : start + found.at;
  const digest = found && checkDigest(text, end + 1, found.digest);
  const colon = text.indexOf(":", start);
  const pathEnd = colon >= 0 && colon < end ? colon : end;
  const path = checkPath(text, start, pathEnd, scheme === "oci" ? "directory" : "file");
  if (pathEnd === end) return { scheme, path, ...(digest !== undefined && { digest }) };
  if (text[colon + 1] !== "@") {
    const tag = checkName(text, colon + 1, end);
    return { scheme, path, tag, ...(digest !== undefined && { digest }) };
  }
  if (digest !== undefined) {
    throw badReference(text, end, "an image is named by its index or by its digest, not by both");
  }
  return { scheme, path, index: checkIndex(text, colon + 2, end) };
}

/** image-spec, annotations.md: the grammar of `org.opencontainers.image.ref.name`. */
function checkName(text: string, start: number, end: number): string {
  if (start === end) throw badReference(text, start, 'the tag after ":" is empty');
  const name = text.slice(start, end);
  const wrong = name.search(/[^A-Za-z0-9_.:@+/-]/);
  if (wrong >= 0) {
    throw badReference(
      text,
      start + wrong,
      "a tag in a layout consists of letters, digits and - . _ : @ + /",
    );
  }
  if (name.length > NAME_LIMIT) {
    throw badReference(text, start + NAME_LIMIT, `a tag has at most ${NAME_LIMIT} characters`);
  }
  return name;
}
