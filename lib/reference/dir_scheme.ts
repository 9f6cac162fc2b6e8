/** `dir:PATH`: what `skopeo copy` writes to a directory. */

import { join } from "node:path";
import type { DirectoryReference } from "../types/reference.ts";
import { directoryBaseName } from "./base_name.ts";
import { checkPath } from "./rules.ts";
import type { SchemeRules } from "./scheme_rules.ts";

export const dirScheme: SchemeRules<DirectoryReference> = {
  parse: (text, start) => ({
    scheme: "dir",
    path: checkPath(text, start, text.length, "directory"),
  }),
  format: ({ path }) => path,
  baseName: ({ path }) => directoryBaseName(path),
  // The time of a directory does not change when a file in it is rewritten.
  localFiles: ({ path }) => [path, join(path, "manifest.json")],
};
