/** Text from outside, made safe to stand in a message. */

import { printableLine } from "./printable.ts";

/**
 * `text` in double quotes, cut to `limit` characters, with every control, format and other
 * unprintable character escaped: it can neither control a terminal nor fake a line.
 */
export function quoteText(text: string, limit = 120): string {
  return `"${plainText(text, limit)}"`;
}

/** As {@link quoteText}, for paths and names of images, which are long and whose ends matter. */
export function quotePath(path: string): string {
  return quoteText(path, PATH_LIMIT);
}

/** As {@link quoteText} without the quotes: for hosts, digests and types inside a sentence. */
export function plainText(text: string, limit = 120): string {
  const characters = Array.from(text.slice(0, 2 * limit));
  const shown = printableLine(characters.slice(0, limit).join(""));
  return characters.length > limit || text.length > 2 * limit ? `${shown}...` : shown;
}

const PATH_LIMIT = 300;
