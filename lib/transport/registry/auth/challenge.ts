/** The WWW-Authenticate header (RFC 9110, section 11.6.1). */

export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Names are in lower case. When a name comes twice, the first one counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * All challenges in all values of the header, in order. It accepts what servers really send: any
 * order of parameters, any white space, quoted strings with commas. It ignores what it cannot read.
 */
export function parseChallenges(values: readonly string[]): readonly Challenge[] {
  return values.flatMap(parseValue);
}

function parseValue(value: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  // A parameter, or a word that begins a challenge. A token68 is read as one of them: no harm.
  const pattern =
    /[\s,]*(?:([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^\s,"]*))|([^\s,=]+))/gsy;
  for (let match = pattern.exec(value); match !== null; match = pattern.exec(value)) {
    const [whole, name, quoted, plain, scheme] = match;
    if (whole === "") break;
    if (scheme !== undefined) {
      challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
      continue;
    }
    const parameters = challenges.at(-1)?.parameters;
    const key = name!.toLowerCase();
    if (parameters === undefined || parameters.has(key)) continue;
    parameters.set(key, quoted === undefined ? plain! : quoted.replace(/\\(.)/gs, "$1"));
  }
  return challenges;
}
