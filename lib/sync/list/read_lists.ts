/** Arguments that name images: URIs, patterns, and files with lists. */

import { readFileSync, statSync } from "node:fs";
import { DenrootError, messageOf, systemCode } from "../../errors.ts";
import { quotePath } from "../../text/quote_text.ts";
import { hasScheme, type ListItem, parseListItem } from "./list_item.ts";
import { parseList } from "./parse_list.ts";

const MAX_LIST_BYTES = 16 * 1024 * 1024;

/**
 * What has a scheme is a URI or a pattern. Anything else is a file; `-` is standard input. Throws code
 * `reference` or `definition` for what breaks a rule, `not_found` or `file` for a list that cannot be read.
 */
export async function readLists(texts: readonly string[]): Promise<readonly ListItem[]> {
  const items: ListItem[] = [];
  for (const text of texts) {
    if (hasScheme(text)) items.push(parseListItem(text));
    else items.push(...await parseList(readList(text), `The list ${quotePath(text)}`));
  }
  return items;
}

function readList(path: string): string {
  const shown = path === "-" ? "The list on standard input" : `The list ${quotePath(path)}`;
  try {
    if (path !== "-" && statSync(path).size > MAX_LIST_BYTES) {
      throw new DenrootError("limit", `${shown} has more than ${MAX_LIST_BYTES / 2 ** 20} MiB`);
    }
    const text = readFileSync(path === "-" ? 0 : path, "utf8");
    if (text.includes("\0")) throw noList(path, shown);
    return text;
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    const isMissing = systemCode(cause) === "ENOENT";
    throw isMissing
      ? new DenrootError("not_found", `${shown} does not exist`, {
        cause,
        hint: `Name a file with a list, or images by their URIs: docker://${path}`,
      })
      : new DenrootError("file", `${shown} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function noList(path: string, shown: string): DenrootError {
  return new DenrootError("definition", `${shown} is no text`, {
    hint: `To take the images of an archive, write oci-archive:${path}`,
  });
}
