/** Arguments that name images: URIs, patterns, and files with lists. */

import { readFileSync, statSync } from "node:fs";
import { DenrootError, type ErrorCode, messageOf, systemCode } from "../../errors.ts";
import { quotePath } from "../../text/quote_text.ts";
import { isSplit } from "../../transport/archive/split_names.ts";
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
    if (path !== "-") requireListFile(path, shown);
    const text = readFileSync(path === "-" ? 0 : path, "utf8");
    if (!text.includes("\0")) return text;
    throw noList("definition", `${shown} is no text`, `oci-archive:${path}`);
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    if (systemCode(cause) !== "ENOENT") {
      throw new DenrootError("file", `${shown} cannot be read: ${messageOf(cause)}`, { cause });
    }
    if (isSplit(path)) throw noList("not_found", `${shown} does not exist`, `oci-archive:${path}`);
    throw new DenrootError("not_found", `${shown} does not exist`, {
      cause,
      hint: `Name a file with a list, or images by their URIs: docker://${path}`,
    });
  }
}

function requireListFile(path: string, shown: string): void {
  const status = statSync(path);
  if (status.isDirectory()) throw noList("file", `${shown} is a directory`, `oci:${path}`);
  if (status.size <= MAX_LIST_BYTES) return;
  const message = `${shown} has more than ${MAX_LIST_BYTES / 2 ** 20} MiB`;
  throw noList("limit", message, `oci-archive:${path}`);
}

/** People name the place of the images alone, as for other commands. */
function noList(code: ErrorCode, message: string, uri: string): DenrootError {
  const what = uri.startsWith("oci:") ? "a layout" : "an archive";
  return new DenrootError(code, message, { hint: `To take the images of ${what}, write ${uri}` });
}
