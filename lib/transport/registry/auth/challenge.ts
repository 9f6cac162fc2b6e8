/** The WWW-Authenticate header (RFC 9110, section 11.6.1). */

export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Names in lower case; the first of a name counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * All challenges of all the header's values, in order. Lenient as servers are: any order of
 * parameters, any white space, quoted strings with commas. What cannot be read is left out.
 */
export function parseChallenges(values: readonly string[]): readonly Challenge[] {
  return values.flatMap(parseValue);
}

function parseValue(value: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  // A parameter, or else a word that begins a challenge; a token68 after it is passed over.
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
