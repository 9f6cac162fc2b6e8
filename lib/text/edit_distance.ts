/** How much two names differ. */

/** Names are compared up to this length: an attacker may choose them. */
const MAX_LENGTH = 64;

/** How many characters have to be put in, taken out or changed (Levenshtein). */
export function editDistance(one: string, other: string): number {
  const target = other.slice(0, MAX_LENGTH);
  let row = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (const character of one.slice(0, MAX_LENGTH)) {
    const next = [row[0]! + 1];
    for (let at = 0; at < target.length; at++) {
      const changed = row[at]! + (target[at] === character ? 0 : 1);
      next.push(Math.min(changed, row[at + 1]! + 1, next[at]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}
