/** Built-in files take their places among the files of sites and users. */

import type { TextFile } from "../../types/container.ts";
import type { ConfigurationFile, NamedText } from "./configuration.ts";

/**
 * Gives all files in their order: those of the system by name, with the built-in ones that no file of
 * the same name replaces, then those of the user. A built-in file says so in place of a path.
 */
export function withDefaults(
  system: readonly ConfigurationFile[],
  user: readonly ConfigurationFile[],
  builtIn: readonly NamedText[],
): readonly TextFile[] {
  const replaced = new Set([...system, ...user].map(({ name }) => name));
  const defaults = builtIn.filter(({ name }) => !replaced.has(name))
    .map(({ name, text }) => ({ name, text, path: `built-in ${name}` }));
  return [...[...system, ...defaults].sort((a, b) => a.name < b.name ? -1 : 1), ...user];
}
