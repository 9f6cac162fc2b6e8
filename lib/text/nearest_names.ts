/** Finds the names that a misspelt one may have meant. */

/** Names are compared up to this length: an attacker may choose them. */
const MAX_LENGTH = 64;

/**
 * Gives at most `count` of `names`: those that begin with `wanted`, then those that differ least from
 * it; the nearest first.
 */
export function nearestNames(
  names: readonly string[],
  wanted: string,
  count: number,
): readonly string[] {
  const ranked = names.map((name) => ({
    name,
    distance: name.startsWith(wanted) ? 0 : editDistance(name, wanted),
  }));
  ranked.sort((one, other) => one.distance - other.distance);
  return ranked.slice(0, count).map(({ name }) => name);
}

/** How many characters have to be put in, taken out or changed (Levenshtein). */
function editDistance(one: string, other: string): number {
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
