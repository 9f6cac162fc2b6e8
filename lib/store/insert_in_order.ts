/** Keeps a list in the order of need while single items join it. */

/** Puts `item` behind all items whose rank is not higher. It nearly always belongs at the end. */
export function insertInOrder<T>(list: T[], item: T, rankOf: (item: T) => number): void {
  const rank = rankOf(item);
  const before = list.findLastIndex((other) => rankOf(other) <= rank);
  list.splice(before + 1, 0, item);
}
