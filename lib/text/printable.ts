/** Text from outside, made safe for a terminal and for a log. */

// Bidirectional marks (Cf) reorder what a person reads; lone surrogates (Cs) break UTF-8 output.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** Makes one line: every control, format or other unprintable character becomes `\u{…}`. */
export function printableLine(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** Indented JSON in which every unprintable character is escaped as JSON allows. */
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

/** Cuts a printable line to `columns` characters; three dots stand for the missing end. */
export function cutLine(line: string, columns: number): string {
  if (line.length <= columns) return line;
  const characters = Array.from(line);
  return characters.length <= columns ? line : `${characters.slice(0, columns - 3).join("")}...`;
}

/** Keeps line breaks but indents the later lines, so that none can pass for a line of the log. */
export function printableText(text: string): string {
  return text.trimEnd().split(/\r?\n/).map(printableLine).join("\n        ");
}
