/** `oci:PATH[:TAG][@DIGEST]`, `oci:PATH:@INDEX`: an image in an OCI layout; `oci-archive:` in a tar. */

import { join } from "node:path";
import type { OciReference } from "../types/reference.ts";
import { archiveBaseName, directoryBaseName, withVersion } from "./base_name.ts";
import {
  badReference,
  checkDigest,
  checkIndex,
  checkPath,
  findDigest,
  formatVersion,
} from "./rules.ts";
import type { SchemeRules } from "./scheme_rules.ts";

/** The limit is high because a name in a layout may be a whole reference: `docker.io/library/alpine:3`. */
const NAME_LIMIT = 512;

export const ociScheme: SchemeRules<OciReference> = {
  parse: (text, start) => parse(text, start, "oci"),
  format,
  baseName: (reference) => withVersion(directoryBaseName(reference.path), versionName(reference)),
  // The time of a directory does not change when a file in it is rewritten.
  localFiles: ({ path }) => [path, join(path, "index.json")],
};

export const ociArchiveScheme: SchemeRules<OciReference> = {
  parse: (text, start) => parse(text, start, "oci-archive"),
  format,
  baseName: (reference) => withVersion(archiveBaseName(reference.path), versionName(reference)),
  localFiles: ({ path }) => [path],
};

/**
 * As in skopeo the first colon ends the path, because names in a layout may contain colons and
 * slashes. A path with a colon in it needs a symbolic link without one.
 */
function parse(text: string, start: number, scheme: OciReference["scheme"]): OciReference {
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
    throw badReference(
      text,
      end,
      "a URI names an image by its index or by its digest, not by both",
    );
  }
  return { scheme, path, index: checkIndex(text, colon + 2, end) };
}

function format(reference: OciReference): string {
  return `${reference.path}${formatVersion(reference)}`;
}

function versionName({ digest, tag, index }: OciReference): string | undefined {
  return digest ?? tag ?? index?.toString();
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
