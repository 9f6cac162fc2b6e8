/** `/.enroot/source`: the file in which an image says where it came from. */

import { oneLine } from "./quote.ts";

/** Below the image's root. */
export const SOURCE_PATH = ".enroot/source";

/** Gives the file's text. `uri` is the canonical one, without a user. */
export function formatSource(uri: string): string {
  return `uri=${oneLine(uri)}\n`;
}

/**
 * Gives the URI that the file names; undefined when it names none. Lines of other keys may follow.
 */
export function parseSource(text: string): string | undefined {
  return /^uri=(.*)$/m.exec(text)?.[1];
}
