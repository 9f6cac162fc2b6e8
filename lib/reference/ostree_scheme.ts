/** `ostree:NAME[:TAG][@/REPOSITORY]`: an image in an ostree repository. */

import type { OstreeReference } from "../types/reference.ts";
import { imageBaseName } from "./base_name.ts";
import { parseImageName, versionOf } from "./image_name.ts";
import type { SchemeRules } from "./scheme_rules.ts";

const DEFAULT_REPOSITORY = "/ostree/repo";

export const ostreeScheme: SchemeRules<OstreeReference> = {
  parse,
  format: ({ image, repository }) =>
    repository === DEFAULT_REPOSITORY ? image : `${image}@${repository}`,
  baseName: ({ image }) => imageBaseName(parseImageName(image)),
};

/** A name without a tag is `:latest`. */
function parse(text: string, start: number): OstreeReference {
  const at = text.indexOf("@/", start);
  const end = at < 0 ? text.length : at;
  const name = parseImageName(text, start, end);
  const given = text.slice(start, end);
  const isNameOnly = name.tag === undefined && name.digest === undefined;
  return {
    scheme: "ostree",
    image: isNameOnly ? given + versionOf(name) : given,
    repository: at < 0 ? DEFAULT_REPOSITORY : text.slice(at + 1),
  };
}
