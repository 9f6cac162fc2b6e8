/** Text for man(7): escapes, and the few macros that denroot's pages use. */

/** Escapes running text, so that every character shows as it is. */
export function roffText(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replace(/["'`^~-]/g, (character) => CHARACTERS[character]!)
    .replace(/^\./gm, "\\&.");
}

/** Without escapes these become typographic marks, hyphens or accents. */
const CHARACTERS: Readonly<Record<string, string>> = {
  '"': "\\(dq",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
  "-": "\\-",
};

export function section(title: string): string {
  return `.SH ${title.toUpperCase()}`;
}

export function paragraph(text: string): string[] {
  return [".PP", ...runningText(text)];
}

/** An entry of a list; `tag` is roff already. */
export function tagged(tag: string, text: string): string[] {
  return [".TP", tag, ...runningText(text)];
}

/** Lines keep their breaks. */
export function verbatim(lines: readonly string[]): string[] {
  return [".nf", ...lines.map(roffText), ".fi"];
}

/** Short lines, each sentence on a new one: such roff is easy to read and to compare. */
export function runningText(text: string): string[] {
  const sentences = text.split(/(?<=[.?!]) (?=[A-Z])/);
  return sentences.flatMap((sentence) =>
    sentence.match(/\S.{0,59}(?=\s|$)|\S+/g)!.map((line) => roffText(line.trimEnd()))
  );
}

export function bold(text: string): string {
  return `\\fB${roffText(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${roffText(text)}\\fR`;
}
