/** `docker-archive:PATH[:NAME[:TAG]]`, `docker-archive:PATH:@INDEX`: an image that `docker save` wrote. */

import type { DockerArchiveReference } from "../types/reference.ts";
import { parseImageName, versionOf } from "./image_name.ts";
import { badReference, checkIndex, checkPath } from "./rules.ts";

const SCHEME = "docker-archive";

/** Reads what follows the scheme. The first colon ends the path; a name without a tag is `:latest`. */
export function parseDockerArchiveReference(text: string): DockerArchiveReference {
  const start = SCHEME.length + 1;
  const colon = text.indexOf(":", start);
  const path = checkPath(text, start, colon < 0 ? text.length : colon, "file");
  if (colon < 0) return { scheme: SCHEME, path };
  if (text[colon + 1] === "@") {
    return { scheme: SCHEME, path, index: checkIndex(text, colon + 2, text.length) };
  }
  const name = parseImageName(text, colon + 1);
  if (name.digest !== undefined) {
    throw badReference(
      text,
      text.lastIndexOf("@"),
      "an archive knows its images by their tags, not by digests",
    );
  }
  const image = text.slice(colon + 1);
  return { scheme: SCHEME, path, image: name.tag === undefined ? image + versionOf(name) : image };
}
