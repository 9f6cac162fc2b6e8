/** Names the file that an import of a reference writes. */

import { DenrootError } from "../errors.ts";
import type { Reference } from "../types/reference.ts";
import { schemeOf } from "./schemes.ts";

const FILE_NAME_LIMIT = 255;

/**
 * The name of the image file when the user gives none. It is enroot's name:
 * `nvidia+pytorch+25.06-py3.sqsh`, `alpine+latest.sqsh`, `alpine+sha256:….sqsh`. An image on a disk
 * gets the name of its file or directory, with the tag: `pytorch.sqsh`, `pytorch+25.06.sqsh`. The
 * name has no `/` and no control characters.
 *
 * Throws code `reference` where the name is longer than a file system takes.
 */
export function defaultOutputName(reference: Reference): string {
  const name = `${schemeOf(reference).baseName(reference)}.sqsh`.replaceAll("/", "+");
  if (new TextEncoder().encode(name).length > FILE_NAME_LIMIT) {
    throw new DenrootError(
      "reference",
      `The name of the image file is too long: ${name.length} of ${FILE_NAME_LIMIT} characters`,
      { hint: "Name the image file with --output" },
    );
  }
  return name;
}
