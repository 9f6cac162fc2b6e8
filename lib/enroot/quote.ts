/** Text as one word or one line of the files in `/etc`. */

/** One word for every POSIX shell: single quotes, which only a single quote can leave. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Control characters, and what some readers take for a line's end, become spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, " ");
}

/** fstab(5): blanks, control characters and backslashes in octal; `$` too, which enroot expands. */
export function fstabWord(text: string): string {
  return text.replace(/[\p{Cc} \\$]/gu, (character) => {
    const code = character.charCodeAt(0);
    return code > 0x7f ? character : `\\${code.toString(8).padStart(3, "0")}`;
  });
}
