/** Text from outside, made fit to stand in a message or on a terminal. */

import { printableLine } from "./printable.ts";

/**
 * `text` in double quotes with every control, format and other unprintable character escaped, cut
 * to `limit` characters: no terminal escape and no false line reaches a screen through it.
 */
export function quoteText(text: string, limit = 120): string {
  return `"${plainText(text, limit)}"`;
}

/** As `quoteText`, for paths and names of images: they are long, and their ends matter. */
export function quotePath(path: string): string {
  return quoteText(path, PATH_LIMIT);
}

/** As `quoteText`, without the quotes: for hosts, digests and types inside a sentence. */
export function plainText(text: string, limit = 120): string {
  const characters = Array.from(text.slice(0, 2 * limit));
  const shown = printableLine(characters.slice(0, limit).join(""));
  return characters.length > limit || text.length > 2 * limit ? `${shown}...` : shown;
}

const PATH_LIMIT = 300;
