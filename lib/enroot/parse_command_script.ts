/** Reads the command scripts (`/etc/rc`) that enroot and denroot write, for images without a shell. */

/** What a command script does. */
export interface CommandScript {
  /** The directory that it enters first. */
  readonly directory: string;
  readonly entrypoint: readonly string[];
  /** What stands behind the entrypoint where nobody gives another command. */
  readonly command: readonly string[];
}

/** Real scripts are far shorter; the pattern takes a second for the worst text of this length. */
const LENGTH_LIMIT = 64 * 1024;

/**
 * One word of a shell, as `shellWord` and bash's `${word@Q}` quote it, or in double quotes without
 * anything that the shell would replace.
 */
const WORD = String.raw`(?:'[^']*'|\\.|\$'(?:[^'\\]|\\.)*'|"[^"$\x60\\]*"|[\w@%+=:,./-])+`;
/** A word ends where a blank or the line's end is: no text can be split into words in two ways. */
const WORDS = String.raw`((?:${WORD}(?: +|(?=\n)))*)`;
const EXEC = String.raw`exec *${WORDS}("\$@")?`;

/** The lines of both programs' scripts, behind comments. Quoted words may hold line breaks. */
const SCRIPT = new RegExp(
  [
    String
      .raw`^(?:[ \t]*(?:#[^\n]*)?\n)*(?:(?:\[ -d ${WORD} \] \|\| )?mkdir -p ${WORD} 2> /dev/null`,
    String.raw`)?cd (${WORD})(?: && unset OLDPWD)? \|\| exit 1`,
    String.raw`(?:unset OLDPWD`,
    String.raw`)?(?:if \[ -s /etc/rc\.local \]; then`,
    String.raw`\. /etc/rc\.local`,
    String.raw`fi`,
    String.raw`)?if \[ \$# -(eq|gt) 0 \]; then`,
    EXEC,
    "else",
    EXEC,
    String.raw`fi\s*$`,
  ].join(String.raw`\n\s*`),
);

/** Undefined for a script that does anything else: only a shell can run it. */
export function parseCommandScript(text: string): CommandScript | undefined {
  const found = text.length > LENGTH_LIMIT ? null : SCRIPT.exec(text);
  if (found === null) return undefined;
  const [, place, test, firstWords, firstArguments, secondWords, secondArguments] = found;
  const [alone, given] = test === "eq"
    ? [[firstWords, firstArguments], [secondWords, secondArguments]]
    : [[secondWords, secondArguments], [firstWords, firstArguments]];
  const [directory] = wordsOf(place!) ?? [];
  const [whole, entrypoint] = [wordsOf(alone[0]!), wordsOf(given[0]!)];
  if (directory === undefined || whole === undefined || entrypoint === undefined) return undefined;
  if (alone[1] !== undefined || given[1] === undefined) return undefined;
  if (entrypoint.some((word, index) => word !== whole[index])) return undefined;
  return { directory, entrypoint, command: whole.slice(entrypoint.length) };
}

/** Whether the text does nothing but run the arguments, without the entrypoint: pyxis writes that. */
export function runsArgumentsAlone(text: string): boolean {
  return meaningOf(text) === 'exec "$@"';
}

/** Whether a script consists of comments. */
export function doesNothing(text: string): boolean {
  return meaningOf(text) === "";
}

function meaningOf(text: string): string {
  return text.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#")).join("\n");
}

/** Undefined where a word has an escape that is not understood. */
function wordsOf(text: string): string[] | undefined {
  const words = (text.match(new RegExp(WORD, "g")) ?? []).map(unquote);
  return words.every((word) => word !== undefined) ? words : undefined;
}

function unquote(word: string): string | undefined {
  const pieces = word.match(/'[^']*'|\\.|\$'(?:[^'\\]|\\.)*'|"[^"]*"|[\w@%+=:,./-]/g)!;
  const texts = pieces.map((piece) => {
    if (piece.startsWith("$'")) return unescapeAnsi(piece.slice(2, -1));
    if (piece.startsWith("'") || piece.startsWith('"')) return piece.slice(1, -1);
    return piece.startsWith("\\") ? piece.slice(1) : piece;
  });
  return texts.every((text) => text !== undefined) ? texts.join("") : undefined;
}

const ANSI: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  E: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

function unescapeAnsi(text: string): string | undefined {
  if ([...text.matchAll(/\\(.)/gs)].some(([, letter]) => ANSI[letter!] === undefined)) {
    return undefined;
  }
  return text.replace(/\\(.)/gs, (_, letter: string) => ANSI[letter]!);
}
