/** A suggestion for a mistyped name. */

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

/** How many letters must be added, removed or changed. */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const letter of from.slice(0, 100)) {
    const row = [above[0]! + 1];
    for (let column = 1; column <= to.length; column++) {
      const changed = above[column - 1]! + (letter === to[column - 1] ? 0 : 1);
      row.push(Math.min(changed, above[column]! + 1, row[column - 1]! + 1));
    }
    above = row;
  }
  return above[to.length]!;
}
