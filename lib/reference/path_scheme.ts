/** A path alone: the content of the file or directory decides what it is. */

import type { PathReference } from "../types/reference.ts";
import { archiveBaseName } from "./base_name.ts";
import type { SchemeRules } from "./scheme_rules.ts";

export const pathScheme: SchemeRules<PathReference> = {
  parse: (text, start) => ({ scheme: "path", path: text.slice(start) }),
  format: ({ path }) => path,
  baseName: ({ path }) => archiveBaseName(path),
  localFiles: ({ path }) => [path],
};
