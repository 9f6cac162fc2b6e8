/** A suggestion for a mistyped name. */

import { editDistance } from "./edit_distance.ts";

/** The name that differs least: by one letter, or two in longer names. Undefined if none does. */
export function closestName<Name extends string>(
  text: string,
  names: readonly Name[],
): Name | undefined {
  const plain = text.toLowerCase().replaceAll("_", "-");
  const ranked = names
    .map((name) => ({ name, distance: editDistance(plain, name) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.min(2, best.name.length / 3)
    ? best.name
    : undefined;
}
