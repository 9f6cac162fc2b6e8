/** Text from outside, made fit for a terminal and for a log. */

// Bidirectional marks (Cf) reorder what a person reads; lone surrogates (Cs) break UTF-8 output.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** One line: every control, format and other unprintable character shows as `\u{…}`. */
export function printableLine(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** JSON on lines of its own, with every unprintable character of its strings escaped as JSON does. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(
    UNPRINTABLE,
    (character) =>
      character === "\n"
        ? character
        : character.split("").map((unit) =>
          `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
        ).join(""),
  );
}

/** `line`, which is printable, in so many columns: what is cut shows as three dots. */
export function cutLine(line: string, columns: number): string {
  if (line.length <= columns) return line;
  const characters = Array.from(line);
  return characters.length <= columns ? line : `${characters.slice(0, columns - 3).join("")}...`;
}

/** Keeps line breaks, but indents what follows them, so that no line can pass for one of ours. */
export function printableText(text: string): string {
  return text.trimEnd().split(/\r?\n/).map(printableLine).join("\n        ");
}
