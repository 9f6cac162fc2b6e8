/** Text from outside, made fit for a terminal and for a log. */

/** One line: every control, format and other unprintable character shows as `\u{…}`. */
export function printableLine(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** Keeps line breaks, but indents what follows them, so that no line can pass for one of ours. */
export function printableText(text: string): string {
  return text.trimEnd().split(/\r?\n/).map(printableLine).join("\n        ");
}
