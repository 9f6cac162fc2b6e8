/** A list of images in a file: lines, or YAML as `skopeo sync --src yaml` reads it. */

import { DenrootError, hasCode } from "../../errors.ts";
import { plainText } from "../../text/quote_text.ts";
import { hasScheme, type ListItem, parseListItem } from "./list_item.ts";

const MAX_ITEMS = 100_000;

/**
 * Reads the text of a list. `name` is the file's name in messages. In lines, `#` at the beginning or
 * behind a space begins a comment, and a name without a scheme is one in a registry. Throws code
 * `definition` with the number of the line, or for YAML that is no such list.
 */
export async function parseList(text: string, name: string): Promise<readonly ListItem[]> {
  const lines = text.split(/\r?\n/)
    .map((line, index) => ({ number: index + 1, words: withoutComment(line) }))
    .filter(({ words }) => words !== "");
  const isYaml = lines.some(({ words }) => /^[^\s:]+(:\d+)?:$|^(---|%YAML)/.test(words)) ||
    lines[0]?.words.startsWith("{");
  const items = isYaml
    ? (await import("./yaml_list.ts")).parseYamlList(text, name)
    : lines.map(({ number, words }) => parseLine(words, `${name}, line ${number}`));
  if (items.length === 0) throw new DenrootError("definition", `${name} names no images`);
  if (items.length > MAX_ITEMS) {
    throw new DenrootError("limit", `${name} has more than ${MAX_ITEMS} entries`);
  }
  return items;
}

function withoutComment(line: string): string {
  return line.replace(/(^|\s)#.*$/, "").trim();
}

function parseLine(words: string, where: string): ListItem {
  try {
    // Many programs print the images that they need so: registry.k8s.io/pause:3.9.
    return parseListItem(hasScheme(words) ? words : `docker://${words}`);
  } catch (cause) {
    if (!hasCode(cause, "reference") && !hasCode(cause, "unsupported")) throw cause;
    throw new DenrootError("definition", `${plainText(where, 300)}: ${cause.message}`, {
      cause,
      hint: cause.hint,
    });
  }
}
