/** `Reference` to text: the canonical URI, and the name of the file that an import writes. */

import { posix } from "node:path";
import { DenrootError } from "../errors.ts";
import type { Reference } from "../types.ts";
import { familiarRepository } from "./parse_docker_reference.ts";

const FILE_NAME_LIMIT = 255;

/**
 * The canonical URI, without the user: `docker://REGISTRY#IMAGE:TAG`, `oci:PATH:TAG`. A digest wins
 * over the tag: `docker://REGISTRY#IMAGE@sha256:…`.
 */
export function formatReference(reference: Reference): string {
  const { tag, digest } = reference;
  const version = digest !== undefined ? `@${digest}` : tag !== undefined ? `:${tag}` : "";
  return reference.scheme === "docker"
    ? `docker://${reference.registry}#${reference.repository}${version}`
    : `oci:${reference.path}${version}`;
}

/**
 * The output's name when none is given, as enroot makes it: `nvidia+pytorch+25.06-py3.sqsh`,
 * `alpine+latest.sqsh`, `alpine+sha256:….sqsh`. It has no `/` and no control characters.
 *
 * Throws code `reference` where no file system could take the name.
 */
export function defaultOutputName(reference: Reference): string {
  const version = reference.digest ?? reference.tag;
  const name = reference.scheme === "docker"
    ? familiarRepository(reference)
    : layoutName(reference.path);
  const output = `${name}${version === undefined ? "" : `+${version}`}.sqsh`.replaceAll("/", "+");
  if (new TextEncoder().encode(output).length > FILE_NAME_LIMIT) {
    throw new DenrootError(
      "reference",
      `The image's name is too long for a file's: ${output.length} of ${FILE_NAME_LIMIT} characters`,
      { hint: "Name the image file with --output" },
    );
  }
  return output;
}

function layoutName(path: string): string {
  const name = posix.basename(posix.normalize(path));
  return name === "" || name === "." || name === ".." || name === "/" ? "image" : name;
}
