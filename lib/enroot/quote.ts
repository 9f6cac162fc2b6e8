/** Quotes text as one word or one line of the files in `/etc`. */

/** Gives one word for every POSIX shell: in single quotes, which only a single quote ends. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Control characters, and all that some programs take for the end of a line, become spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, " ");
}

/**
 * Gives one word of fstab(5): blanks, control characters and backslashes are written in octal, and
 * `$` too, because enroot would expand it.
 */
export function fstabWord(text: string): string {
  return text.replace(/[\p{Cc} \\$]/gu, (character) => {
    const code = character.charCodeAt(0);
    return code > 0x7f ? character : `\\${code.toString(8).padStart(3, "0")}`;
  });
}
