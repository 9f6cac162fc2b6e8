/** One table of registries.conf: its values by type, and the lines that they are on. */

import { DenrootError } from "../errors.ts";
import { redact } from "../text/redact.ts";
import type { TomlLines } from "./toml_lines.ts";

export type Table = { readonly [key: string]: unknown };

/** Throws code `settings`, with the file and the line, for values of another type. */
export class Section {
  readonly #table: Table;
  readonly #path: string;
  readonly #lines: TomlLines;
  readonly header: number;

  constructor(table: Table, path: string, lines: TomlLines, header: number) {
    this.#table = table;
    this.#path = path;
    this.#lines = lines;
    this.header = header;
  }

  text(key: string): string | undefined {
    const value = this.#table[key];
    if (value === undefined || typeof value === "string") return value;
    throw this.broken(key, `${key} must be text in quotes`);
  }

  flag(key: string): boolean | undefined {
    const value = this.#table[key];
    if (value === undefined || typeof value === "boolean") return value;
    throw this.broken(key, `${key} must be true or false`);
  }

  texts(key: string): readonly string[] | undefined {
    const value = this.#table[key];
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
    throw this.broken(key, `${key} must be a list of texts in quotes`);
  }

  tables(key: string): readonly Table[] {
    const value = this.#table[key] ?? [];
    if (Array.isArray(value) && value.every(isTable)) return value;
    throw this.broken(key, `${key} must be tables with a header in double brackets`);
  }

  /** `HOST[:PORT][/PATH]`. Slashes at the end are removed: some people write them. */
  location(key: string): string {
    const location = this.text(key)?.replace(/\/+$/, "") ?? "";
    if (!/^https?:\/\//.test(location)) return location;
    throw this.broken(
      key,
      `${key} ${JSON.stringify(location)} must not begin with http:// or https://`,
    );
  }

  origin(key?: string): string {
    const line = key === undefined ? this.header : this.#lines.key(key, this.header);
    return line === 0 ? this.#path : `${this.#path}, line ${line}`;
  }

  broken(key: string | undefined, rule: string): DenrootError {
    return brokenFile(this.origin(key), rule);
  }
}

export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

export function brokenFile(origin: string, rule: string, cause?: unknown): DenrootError {
  return new DenrootError("settings", redact(`${origin}: ${rule}`), {
    cause,
    hint: "containers-registries.conf(5) describes the file; " +
      "CONTAINERS_REGISTRIES_CONF names another one",
  });
}
