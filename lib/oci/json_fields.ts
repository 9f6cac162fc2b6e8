/** Reads JSON from outside, and checks the type of every field. */

import { DenrootError } from "../errors.ts";
import { quoteText } from "../text/quote_text.ts";

export type JsonObject = { readonly [name: string]: unknown };

/**
 * Parses a JSON object in UTF-8. A byte order mark and white space around it do no harm. When several
 * fields have one name, the last one counts, as in Go, so that denroot sees the image that other
 * tools see. Throws code `manifest` for anything else; the message begins with `what`, the
 * document's name.
 */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    // The parser's own message may quote the text with its control characters: it is only the cause.
    throw new DenrootError("manifest", `${what} is not JSON`, { cause });
  }
  if (!isObject(value)) throw wrongField(what, "the document", "an object");
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The fields of one object. `what` is the object's name in messages. A field that is JSON null counts
 * as absent, as in Go. A field that is required and absent, or of a wrong type, throws code
 * `manifest`.
 */
export class Fields {
  readonly #object: JsonObject;
  readonly #what: string;

  constructor(object: unknown, what: string) {
    if (!isObject(object)) throw wrongField(what, "it", "an object");
    this.#object = object;
    this.#what = what;
  }

  /** Only own properties count: a member of Object.prototype is not a field. */
  has(name: string): boolean {
    return Object.hasOwn(this.#object, name) && this.#object[name] !== null;
  }

  /** Whether the field is there and JSON null: Go writes an empty list so. */
  isNull(name: string): boolean {
    return Object.hasOwn(this.#object, name) && this.#object[name] === null;
  }

  string(name: string): string {
    return this.optionalString(name) ?? this.#missing(name, "a string");
  }

  optionalString(name: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#object[name];
    return typeof value === "string" ? value : this.#missing(name, "a string");
  }

  optionalBoolean(name: string): boolean | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#object[name];
    return typeof value === "boolean" ? value : this.#missing(name, "true or false");
  }

  /** Gives a whole number from 0 to 2^53-1. */
  count(name: string): number {
    const value = this.has(name) ? this.#object[name] : undefined;
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      return this.#missing(name, "a whole number that is not negative");
    }
    return value as number;
  }

  array(name: string): readonly unknown[] {
    return this.optionalArray(name) ?? this.#missing(name, "an array");
  }

  optionalArray(name: string): readonly unknown[] | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#object[name];
    return Array.isArray(value) ? value : this.#missing(name, "an array");
  }

  object(name: string): JsonObject {
    return this.optionalObject(name) ?? this.#missing(name, "an object");
  }

  optionalObject(name: string): JsonObject | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#object[name];
    return isObject(value) ? value : this.#missing(name, "an object");
  }

  /** Gives a list of strings, which is empty when the field is absent. */
  strings(name: string): readonly string[] {
    const values = this.optionalArray(name) ?? [];
    if (!values.every((value) => typeof value === "string")) {
      this.#missing(name, "an array of strings");
    }
    return values as readonly string[];
  }

  /**
   * Gives an object whose values are strings; it is empty when the field is absent. A null value
   * counts as an empty string, as in Go.
   */
  stringMap(name: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.optionalObject(name) ?? {})
      .map(([key, value]) => [key, value ?? ""] as const);
    if (!entries.every(([, value]) => typeof value === "string")) {
      this.#missing(name, "an object whose values are all strings");
    }
    // Object.fromEntries defines own properties, so that "__proto__" is an ordinary name.
    return Object.fromEntries(entries) as Record<string, string>;
  }

  /**
   * Gives those members of an object that are strings. It is for fields that only inform, such as
   * annotations: one of a wrong type is left out.
   */
  looseStringMap(name: string): Readonly<Record<string, string>> {
    const value = this.has(name) ? this.#object[name] : {};
    const entries = isObject(value) ? Object.entries(value) : [];
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
  }

  #missing(name: string, expected: string): never {
    throw wrongField(this.#what, quoteText(name), expected);
  }
}

function wrongField(what: string, name: string, expected: string): DenrootError {
  return new DenrootError("manifest", `${what} is invalid: ${name} must be ${expected}`);
}
