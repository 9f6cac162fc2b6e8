/** Tags in the order of their versions. */

/** Numbers count as numbers: `1.9`, `1.10`, `1.10-alpine`, `2`, `latest`. */
export function inVersionOrder(tags: readonly string[]): readonly string[] {
  const { compare } = new Intl.Collator("en", { numeric: true });
  return tags.toSorted((a, b) => compare(a, b) || (a < b ? -1 : Number(a > b)));
}
