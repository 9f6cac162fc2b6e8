/** `docker-archive:PATH[:NAME[:TAG]]`, `docker-archive:PATH:@INDEX`: an image that `docker save` wrote. */

import type { DockerArchiveReference } from "../types/reference.ts";
import { archiveBaseName, imageBaseName, withVersion } from "./base_name.ts";
import { parseImageName, versionOf } from "./image_name.ts";
import { badReference, checkIndex, checkPath, formatVersion } from "./rules.ts";
import type { SchemeRules } from "./scheme_rules.ts";

const SCHEME = "docker-archive";

export const dockerArchiveScheme: SchemeRules<DockerArchiveReference> = {
  parse,
  format: ({ path, image, index }) => `${path}${formatVersion({ tag: image, index })}`,
  baseName: ({ path, image, index }) =>
    image === undefined
      ? withVersion(archiveBaseName(path), index?.toString())
      : imageBaseName(parseImageName(image)),
  localFiles: ({ path }) => [path],
};

/** The first colon ends the path. A name without a tag is `:latest`. */
function parse(text: string, start: number): DockerArchiveReference {
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
      "images in an archive of docker save have tags, but no digests",
    );
  }
  const image = text.slice(colon + 1);
  return { scheme: SCHEME, path, image: name.tag === undefined ? image + versionOf(name) : image };
}
