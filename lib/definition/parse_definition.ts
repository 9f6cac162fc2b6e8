/** Parses the text of an image definition. */

import { isAbsolute, resolve } from "node:path";
import { expandSimply, ExpansionError, UnsetVariable } from "../config/expand_value.ts";
import { DenrootError } from "../errors.ts";
import { requireFileName } from "../image/check_output.ts";
import { parseArchitecture } from "../oci/architecture.ts";
import { plainText, quoteText } from "../text/quote_text.ts";
import { formatReference } from "../reference/format_reference.ts";
import { defaultOutputName } from "../reference/output_name.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { closestName } from "../text/closest_name.ts";
import { squashOptionMistake } from "../squashfs/check_squash_options.ts";
import { forbiddenSquashWord } from "./squash_words.ts";

/** The fields of a definition. Paths are absolute. */
export interface Definition {
  /** The file that holds the definition, as the caller named it. */
  readonly file: string;
  /** The URI of the image, in the form that an import takes. */
  readonly image: string;
  readonly output: string;
  /** `linux/ARCHITECTURE[/VARIANT]`; without it this machine's platform counts. */
  readonly platform?: string | undefined;
  readonly squashOptions?: string | undefined;
  /** In the form of enroot's `--mount`: the fields of `fstab` with colons between. */
  readonly mounts: readonly string[];
  /** In the form of enroot's `--env`: `NAME=VALUE`, or `NAME` for the host's value. */
  readonly env: readonly string[];
  /** The directory in the container in which the command starts. */
  readonly workdir?: string | undefined;
  /** Whether the container may write to its root; what the settings say, where it is absent. */
  readonly writable?: boolean | undefined;
  /** Whether the user is root inside the container; what the settings say, where it is absent. */
  readonly remapRoot?: boolean | undefined;
  /** A configuration script for the start. */
  readonly conf?: string | undefined;
  /** The first line that has each of the names, for errors. Lines count from 1. */
  readonly lines?: Readonly<Partial<Record<DefinitionName, number>>>;
}

interface DefinitionContext {
  readonly file: string;
  /** Relative paths start here. */
  readonly directory: string;
  readonly lookUp: (variable: string) => string | undefined;
}

/** The names with which lines of a definition begin. */
export type DefinitionName =
  | "image"
  | "output"
  | "platform"
  | "squash-options"
  | "mount"
  | "env"
  | "workdir"
  | "writable"
  | "remap-root"
  | "conf";
const REPEATABLE: ReadonlySet<DefinitionName> = new Set<DefinitionName>(["mount", "env"]);

/** Each function gives the value to keep, or throws the mistake. */
const RULES: Readonly<Record<DefinitionName, (value: string, directory: string) => string>> = {
  image: imageUri,
  output: outputFile,
  platform: linuxPlatform,
  "squash-options": squashOptions,
  mount: mountFields,
  env: variable,
  workdir: containerDirectory,
  writable: yesOrNo,
  "remap-root": yesOrNo,
  conf: (value, directory) => resolve(directory, value),
};

const YES = "yes";

const NAMES = Object.keys(RULES) as readonly DefinitionName[];

/** The number of fields in a line of `fstab`. */
const MOST_MOUNT_FIELDS = 6;

/**
 * Lines are `NAME VALUE` as in `enroot.conf`. Values follow the same rules, but no command runs:
 * people hand definitions around, so a definition is only data.
 *
 * Throws code `definition` with one line for each mistake.
 */
export function parseDefinition(text: string, context: DefinitionContext): Definition {
  const mistakes: string[] = [];
  const found = new Map<DefinitionName, Found>();
  for (const [index, line] of text.split("\n").entries()) {
    try {
      readLine(line.trim(), index + 1, found, context);
    } catch (error) {
      mistakes.push(`${context.file}, line ${index + 1}: ${complaint(error)}`);
    }
  }
  if (!found.has("image")) {
    mistakes.push(`${context.file}, line 1: no line of this definition names the image`);
  }
  if (mistakes.length > 0) throw new DenrootError("definition", mistakes.join("\n"));

  const all = (name: DefinitionName) => found.get(name)?.values ?? [];
  const [image] = all("image") as [string];
  const [output = defaultOutput(image, context.directory)] = all("output");
  const [platform] = all("platform");
  const [squashOptions] = all("squash-options");
  const flag = (name: DefinitionName) => found.has(name) ? all(name)[0] === YES : undefined;
  return {
    file: context.file,
    image,
    output,
    platform,
    squashOptions,
    mounts: all("mount"),
    env: all("env"),
    workdir: all("workdir")[0],
    writable: flag("writable"),
    remapRoot: flag("remap-root"),
    conf: all("conf")[0],
    lines: Object.fromEntries([...found].map(([name, { line }]) => [name, line])),
  };
}

/** The values of a name, and the first line that has it, even with a wrong value. */
interface Found {
  readonly line: number;
  readonly values: string[];
}

/** A line breaks a rule. */
class Mistake extends Error {}

function readLine(
  line: string,
  lineNumber: number,
  found: Map<DefinitionName, Found>,
  { directory, lookUp }: DefinitionContext,
): void {
  if (line === "" || line.startsWith("#")) return;
  const match = /^([^ \t=]+)[ \t]*=?[ \t]*(.*)$/s.exec(line);
  if (match === null) throw new Mistake("a line must be NAME VALUE");
  const name = knownName(match[1]!);
  const earlier = found.get(name);
  if (earlier !== undefined && !REPEATABLE.has(name)) {
    throw new Mistake(`line ${earlier.line} already has "${name}"`);
  }
  const { values } = earlier ?? { values: [] as string[] };
  if (earlier === undefined) found.set(name, { line: lineNumber, values });
  const value = expandSimply(match[2]!, lookUp);
  if (value === undefined) {
    throw new Mistake(
      "a value may have variables as $NAME, ${NAME} and ${NAME:-DEFAULT} only, and no commands",
    );
  }
  if (value === "") throw new Mistake(`"${name}" has no value`);
  values.push(RULES[name](value, directory));
}

function knownName(text: string): DefinitionName {
  const known = NAMES.find((name) => name === text);
  if (known !== undefined) return known;
  const close = closestName(text, NAMES);
  const help = close === undefined ? `the names are ${NAMES.join(", ")}` : `is it "${close}"?`;
  throw new Mistake(`${quoteText(text)} is not known; ${help}`);
}

/** Makes a path absolute. Everything else stays, the user too. */
function imageUri(value: string, directory: string): string {
  const reference = parseReference(value);
  if (reference.scheme === "path") {
    const registry = /^[./]/.test(value) ? "" : `docker://${plainText(value)}, or `;
    throw new Mistake(
      `${quoteText(value)} has no scheme; write ${registry}oci:PATH, oci-archive:PATH, ` +
        "docker-archive:PATH and so on",
    );
  }
  if (!("path" in reference)) return value;
  const path = resolve(directory, reference.path);
  if (path.includes(":") && !reference.path.includes(":")) {
    throw new Mistake(
      `the path ${quoteText(path)} contains a colon, but in a URI a colon ends the path`,
    );
  }
  return formatReference({ ...reference, path });
}

/** `..` stays: behind a symbolic link it is not where the text says. */
function outputFile(value: string, directory: string): string {
  requireFileName(value);
  return isAbsolute(value) ? value : `${directory}/${value}`;
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
      `${quoteText(word)} is not allowed in a definition; the allowed options are -comp NAME, ` +
        "-b SIZE, the -X options of the compressors with their values, -noI, -noId, -noD, -noF, " +
        "-noX, -no-fragments, -always-use-fragments, -xattrs and -no-xattrs",
    );
  }
  const mistake = squashOptionMistake(value);
  if (mistake !== undefined) throw new Mistake(mistake);
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

function containerDirectory(value: string): string {
  if (!isAbsolute(value)) {
    throw new Mistake(`the directory ${quoteText(value)} does not begin with /`);
  }
  return value;
}

function yesOrNo(value: string): string {
  if (value !== YES && value !== "no") throw new Mistake(`${quoteText(value)} is not yes or no`);
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
