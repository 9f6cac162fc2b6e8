/** Text that fits a screen. */

import { printableLine } from "../../text/printable.ts";

export const SCREEN_COLUMNS = 80;

/** Breaks lines at blanks. A word that is longer than a line stays whole, so that users can copy it. */
export function wrapText(text: string, columns: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of printableLine(text).split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length > columns) {
      lines.push(line);
      line = `${indent}${word}`;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}
