/** Reads the settings of the table, refuses values that break a rule, and lists all for `info`. */

import { DenrootError } from "../errors.ts";
import { REPLACEMENT, resolvedPath } from "../system/files/real_names.ts";
import { parseAge, parseBytes } from "../text/parse_units.ts";
import type { Value } from "./load_values.ts";
import { meansNo } from "./means_no.ts";
import type { SettingDefinition, SettingHost } from "./table/setting_definition.ts";
import { ALL_SETTINGS, type SettingName, type SETTINGS } from "./table/setting_table.ts";

export interface SettingEntry {
  readonly name: string;
  /** The value as text, without passwords. */
  readonly value: string;
  /** `default`, `environment` or the path of the file that set it. */
  readonly origin: string;
  readonly note?: string | undefined;
  /** What the user should hear of before the value takes effect. */
  readonly warning?: string | undefined;
}

/** The value of each setting; undefined only where the setting has no default. */
type SettingValues = { readonly [N in SettingName]: ValueOf<(typeof SETTINGS)[N]> };

type ValueOf<D extends SettingDefinition> =
  | TypeOf<D["kind"]>
  | (D extends { readonly default: unknown } ? never : undefined);
type TypeOf<Kind extends SettingDefinition["kind"]> = Kind extends "text" | "path" | "choice"
  ? string
  : Kind extends "flag" ? boolean
  : number;

interface ReadSettings {
  readonly values: SettingValues;
  /** One for each setting, in the table's order. */
  readonly entries: readonly SettingEntry[];
}

/**
 * `found` holds the values that are set, by name. `ignored` holds reasons why a line of a file had no
 * effect, by name.
 *
 * Throws code `settings` with the setting, its value, its place and the rule.
 */
export function readSettings(
  found: ReadonlyMap<string, Value>,
  ignored: ReadonlyMap<string, string>,
  host: SettingHost,
): ReadSettings {
  const values: Record<string, SettingValue | undefined> = {};
  const entries: SettingEntry[] = [];
  for (const [name, definition] of ALL_SETTINGS) {
    const set = findValue(name, definition, found);
    const text = set?.value.value ?? defaultText(definition, host);
    const value = text === undefined ? undefined : parseValue(text, definition);
    if (set !== undefined && value === undefined) throw badSetting(name, set.value, definition);
    values[name] = value;
    entries.push({
      name: set?.name ?? name,
      value: typeof value === "boolean" ? (value ? "yes" : "no") : withoutPassword(text ?? ""),
      origin: set?.value.origin ?? "default",
      note: noteOf(definition, set?.value, ignored.get(name)),
      ...(set !== undefined && definition.kind === "flag" && warningOf(set)),
    });
  }
  return { values: values as unknown as SettingValues, entries };
}

type SettingValue = string | number | boolean;

interface FoundValue {
  readonly name: string;
  readonly value: Value;
}

/** The name itself comes before its other spelling. */
function findValue(
  name: string,
  { kind, otherName }: SettingDefinition,
  found: ReadonlyMap<string, Value>,
): FoundValue | undefined {
  for (const spelling of otherName === undefined ? [name] : [name, otherName]) {
    const value = found.get(spelling);
    if (value === undefined) continue;
    // enroot unsets each of its variables that says no, whatever the variable is for.
    const isUnset = kind !== "flag" && name.startsWith("ENROOT_") && meansNo(value.value);
    return isUnset ? undefined : { name: spelling, value };
  }
  return undefined;
}

function defaultText(
  { default: standard }: SettingDefinition,
  host: SettingHost,
): string | undefined {
  return typeof standard === "object" ? standard.compute(host) : standard;
}

/** Undefined for text that breaks the rule of the setting. */
function parseValue(text: string, definition: SettingDefinition): SettingValue | undefined {
  switch (definition.kind) {
    case "text":
      return text;
    case "path":
      // Bytes that are not UTF-8 have become this: the path would be another one.
      return text.includes(REPLACEMENT) ? undefined : resolvedPath(text);
    case "flag":
      return !meansNo(text);
    case "choice":
      return definition.choices.includes(text) ? text : undefined;
    case "integer":
      return parseNumber(text, /^[0-9]{1,15}$/, definition);
    case "seconds": {
      const seconds = parseNumber(text, /^[0-9]{1,9}(?:\.[0-9]{1,6})?$/, {
        min: 0,
        max: definition.max,
      });
      return seconds === undefined ? undefined : Math.ceil(seconds * 1000);
    }
    case "age":
      return parseAge(text);
    case "bytes":
      // A limit of 0 bytes would refuse everything.
      return parseBytes(text) || undefined;
  }
}

/** What a number has to be, for an error. */
function ruleOf(definition: SettingDefinition): string {
  switch (definition.kind) {
    case "integer":
      return `a whole number from ${definition.min} to ${definition.max}`;
    case "seconds":
      return `seconds from 0 to ${definition.max}, 0 for no limit`;
    case "choice":
      return `one of ${definition.choices.join(", ")}`;
    case "age":
      return "a number with m, h, d or w, as 12h or 7d";
    case "bytes":
      return "a number of bytes from 1 to below 8192T, with K, M, G or T for powers of 1024";
    case "path":
      return "a path in UTF-8";
    default:
      return "text";
  }
}

function parseNumber(
  text: string,
  form: RegExp,
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  const value = form.test(text.trim()) ? Number(text) : NaN;
  return value >= min && value <= max ? value : undefined;
}

function noteOf(
  { kind, note, unset }: SettingDefinition,
  set: Value | undefined,
  ignored: string | undefined,
): string | undefined {
  const notes = set === undefined
    ? [ignored, unset, note]
    : [set.note, kind === "flag" && isOddYes(set.value) ? oddYes(set.value) : note];
  return notes.filter((text) => text !== undefined).join("; ") || undefined;
}

function isOddYes(text: string): boolean {
  return !meansNo(text) && !/^(?:y|yes|t|true|1)$/i.test(text);
}

/** For a yes that looks like a no. */
function warningOf({ name, value: { value, origin } }: FoundValue): Pick<SettingEntry, "warning"> {
  if (meansNo(value) || !LIKE_NO.test(value)) return {};
  return {
    warning: `${name} (${origin}): ${oddYes(value)}. To turn it off, write "no" or unset it`,
  };
}

const LIKE_NO = /^\s*(?:0+|no?|f|false|off|never|none|null|disabled?)\s*$/i;

function oddYes(text: string): string {
  return `"${withoutPassword(text)}" means yes, as in enroot`;
}

/** Takes user and password out of a URL. In doubt it takes out more. */
export function withoutPassword(value: string): string {
  return value.includes("://")
    ? value.replace(/:\/\/\S*@/g, "://***@")
    : value.replace(/^[^\s:]*:\S*@/, "***@");
}

function badSetting(name: string, found: Value, definition: SettingDefinition): DenrootError {
  const place = found.origin === "environment" ? "the environment" : found.origin;
  const alias = found.note === undefined ? "" : ` (${found.note})`;
  return new DenrootError(
    "settings",
    `${name} is "${withoutPassword(found.value)}" in ${place}${alias}, but must be ${
      ruleOf(definition)
    }`,
    { hint: "Correct it or remove it; denroot info shows all settings" },
  );
}
