/** Notices directories with so many entries that an unchanged mksquashfs becomes slow. */

import { parentOf } from "../merge/clean_path.ts";

/** So many entries cost an unchanged mksquashfs about two seconds, four times as many half a minute. */
export const WIDE_ENTRIES = 25_000;

/** Gives a function that takes each path that is packed, and tells of the first wide directory. */
export function watchWidths(onWide: (directory: string) => void): (path: string) => void {
  const widths = new Map<string, number>();
  let isTold = false;
  return (path) => {
    if (isTold) return;
    const directory = parentOf(path);
    const width = (widths.get(directory) ?? 0) + 1;
    widths.set(directory, width);
    if (width < WIDE_ENTRIES) return;
    isTold = true;
    widths.clear();
    onWide(directory);
  };
}
