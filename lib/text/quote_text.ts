/** Text from outside, made fit to stand in a message or on a terminal. */

/**
 * `text` in double quotes with every control, format and other unprintable character escaped, cut
 * to `limit` characters: no terminal escape and no false line reaches a screen through it.
 */
export function quoteText(text: string, limit = 120): string {
  return `"${plainText(text, limit)}"`;
}

/** As `quoteText`, without the quotes: for hosts, digests and types inside a sentence. */
export function plainText(text: string, limit = 120): string {
  const characters = Array.from(text.slice(0, 2 * limit));
  const shown = characters.slice(0, limit).join("").replace(UNPRINTABLE, escapeCharacter);
  return characters.length > limit || text.length > 2 * limit ? `${shown}...` : shown;
}

// Bidirectional marks (Cf) reorder what a person reads; lone surrogates (Cs) break UTF-8 output.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

function escapeCharacter(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}
