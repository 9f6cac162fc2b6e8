/** `oci:PATH[:TAG][@DIGEST]`: an image in an OCI layout directory. */

import type { OciReference } from "../types.ts";
import { badReference, checkDigest, findDigest } from "./rules.ts";

const PREFIX = "oci:";
/** An image-layout's names may be whole references: `docker.io/library/alpine:3`. */
const NAME_LIMIT = 512;

/**
 * Reads an `oci:` reference. As in skopeo the first colon ends the path, because names in a layout
 * may contain colons and slashes; a directory with a colon in its name is reached by a link.
 */
export function parseOciReference(text: string): OciReference {
  let end = text.length;
  let digest: string | undefined;
  const found = findDigest(text.slice(PREFIX.length));
  if (found !== undefined) {
    end = PREFIX.length + found.at;
    digest = checkDigest(text, end + 1, found.digest);
  }
  if (/^oci:\/\/[^/]/.test(text)) {
    throw badReference(
      text,
      PREFIX.length,
      "oci: is followed by the path of a directory",
      "For an image in a registry write docker://REGISTRY/IMAGE:TAG",
    );
  }
  const colon = text.indexOf(":", PREFIX.length);
  const hasTag = colon >= 0 && colon < end;
  const path = text.slice(PREFIX.length, hasTag ? colon : end);
  if (path === "") throw badReference(text, PREFIX.length, "the path of the layout is empty");
  const tag = hasTag ? checkName(text, colon + 1, end) : undefined;
  return {
    scheme: "oci",
    path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
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
