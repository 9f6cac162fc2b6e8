/** An image definition's text to what it asks for. */

import { resolve } from "node:path";
import { expandSimply, ExpansionError, UnsetVariable } from "../config/expand_value.ts";
import { DenrootError } from "../errors.ts";
import { parseArchitecture } from "../oci/architecture.ts";
import { plainText, quoteText } from "../text/quote_text.ts";
import { formatReference } from "../reference/format_reference.ts";
import { defaultOutputName } from "../reference/output_name.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { closestName } from "../text/closest_name.ts";
import { forbiddenSquashWord } from "./squash_words.ts";

/** What a definition asks for. Paths are absolute. */
export interface Definition {
  /** Where it was read from, as it was named. */
  readonly file: string;
  /** The image's URI, as an import takes it. */
  readonly image: string;
  readonly output: string;
  /** `linux/ARCHITECTURE[/VARIANT]`; this machine's without it. */
  readonly platform?: string;
  readonly squashOptions?: string;
  /** For containers, as enroot's `--mount` takes them: `fstab` fields with colons between. */
  readonly mounts: readonly string[];
  /** For containers, as enroot's `--env` takes them: `NAME=VALUE`, or `NAME` for the host's value. */
  readonly env: readonly string[];
}

export interface DefinitionContext {
  readonly file: string;
  /** What relative paths start from. */
  readonly directory: string;
  readonly lookUp: (variable: string) => string | undefined;
}

const NAMES = ["image", "output", "platform", "squash-options", "mount", "env"] as const;
type Name = (typeof NAMES)[number];
const REPEATABLE: ReadonlySet<Name> = new Set<Name>(["mount", "env"]);

/** Each gives the value as it is kept, or throws what is wrong with it. */
const RULES: Readonly<Record<Name, (value: string, directory: string) => string>> = {
  image: imageUri,
  output: (value, directory) => resolve(directory, value),
  platform: linuxPlatform,
  "squash-options": squashOptions,
  mount: mountFields,
  env: variable,
};

/** Fields of a line in `fstab`. */
const MOST_MOUNT_FIELDS = 6;

/**
 * Lines are `NAME VALUE`, as in `enroot.conf`, and values are expanded by the same rules, except
 * that no command is run: a definition is handed around, and is data.
 *
 * Throws code `definition` with all that is wrong, a line for each mistake.
 */
export function parseDefinition(text: string, context: DefinitionContext): Definition {
  const mistakes: string[] = [];
  const found = new Map<Name, Found>();
  for (const [index, line] of text.split("\n").entries()) {
    try {
      readLine(line.trim(), index + 1, found, context);
    } catch (error) {
      mistakes.push(`${context.file}, line ${index + 1}: ${complaint(error)}`);
    }
  }
  if (!found.has("image")) mistakes.push(`${context.file}: it names no image`);
  if (mistakes.length > 0) throw new DenrootError("definition", mistakes.join("\n"));

  const all = (name: Name) => found.get(name)?.values ?? [];
  const [image] = all("image") as [string];
  const [output = defaultOutput(image, context.directory)] = all("output");
  const [platform] = all("platform");
  const [squashOptions] = all("squash-options");
  const [mounts, env] = [all("mount"), all("env")];
  return { file: context.file, image, output, platform, squashOptions, mounts, env };
}

/** A name's values, and the line it was on first, whether its value is right or not. */
interface Found {
  readonly line: number;
  readonly values: string[];
}

/** Something that a rule forbids. */
class Mistake extends Error {}

function readLine(
  line: string,
  lineNumber: number,
  found: Map<Name, Found>,
  { directory, lookUp }: DefinitionContext,
): void {
  if (line === "" || line.startsWith("#")) return;
  const match = /^([^ \t=]+)[ \t]*=?[ \t]*(.*)$/s.exec(line);
  if (match === null) throw new Mistake("a line is NAME VALUE");
  const name = knownName(match[1]!);
  const earlier = found.get(name);
  if (earlier !== undefined && !REPEATABLE.has(name)) {
    throw new Mistake(`"${name}" is on line ${earlier.line} already`);
  }
  const { values } = earlier ?? { values: [] as string[] };
  if (earlier === undefined) found.set(name, { line: lineNumber, values });
  const value = expandSimply(match[2]!, lookUp);
  if (value === undefined) {
    throw new Mistake(
      "of variables only $NAME, ${NAME} and ${NAME:-DEFAULT} are understood, and commands are not run",
    );
  }
  if (value === "") throw new Mistake(`"${name}" has no value`);
  values.push(RULES[name](value, directory));
}

function knownName(text: string): Name {
  const known = NAMES.find((name) => name === text);
  if (known !== undefined) return known;
  const close = closestName(text, NAMES);
  const help = close === undefined ? `the names are ${NAMES.join(", ")}` : `is it "${close}"?`;
  throw new Mistake(`${quoteText(text)} is not known; ${help}`);
}

/** A path is made absolute; all else stays, the user in it too. */
function imageUri(value: string, directory: string): string {
  const reference = parseReference(value);
  if (reference.scheme === "path") {
    throw new Mistake(
      `${quoteText(value)} names no scheme (docker://${plainText(value)}, or oci:, oci-archive:, ` +
        "docker-archive:, ...)",
    );
  }
  if (!("path" in reference)) return value;
  const path = resolve(directory, reference.path);
  if (path.includes(":") && !reference.path.includes(":")) {
    throw new Mistake(`the path ${quoteText(path)} has a colon, which ends a path in a URI`);
  }
  return formatReference({ ...reference, path });
}

function defaultOutput(image: string, directory: string): string {
  return resolve(directory, defaultOutputName(parseReference(image)));
}

function linuxPlatform(value: string): string {
  if (!value.startsWith("linux/")) {
    throw new Mistake(
      `the platform ${quoteText(value)} is not linux/ARCHITECTURE, such as linux/arm64`,
    );
  }
  parseArchitecture(value);
  return value;
}

function squashOptions(value: string): string {
  const word = forbiddenSquashWord(value);
  if (word !== undefined) {
    throw new Mistake(
      `${quoteText(word)} cannot stand here; a definition gives only -comp NAME, -b SIZE, the ` +
        "compressors' -X options with their values, -noI, -noId, -noD, -noF, -noX, -no-fragments, " +
        "-always-use-fragments, -xattrs and -no-xattrs",
    );
  }
  return value;
}

function mountFields(value: string): string {
  const fields = value.split(":");
  if (/\s/.test(value) || fields[0] === "" || fields.length > MOST_MOUNT_FIELDS) {
    throw new Mistake(
      `the mount ${quoteText(value)} is not SOURCE[:TARGET[:TYPE][:OPTIONS]] without blanks`,
    );
  }
  return value;
}

function variable(value: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*(?:=|$)/.test(value)) {
    throw new Mistake(`the variable ${quoteText(value)} is not NAME=VALUE, or NAME alone`);
  }
  return value;
}

function complaint(error: unknown): string {
  if (error instanceof UnsetVariable) {
    const name = error.variable;
    return `${name} is not set; set it, or write \${${name}:-DEFAULT}, or \\$ for a dollar sign`;
  }
  if (error instanceof Mistake || error instanceof ExpansionError) return error.message;
  if (!(error instanceof DenrootError)) throw error;
  return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
}
