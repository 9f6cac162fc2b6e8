/** Finds the names that a misspelt one may have meant. */

import { editDistance } from "./edit_distance.ts";

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
