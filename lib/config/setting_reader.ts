/** Reads settings by kind, refuses what breaks their rules, and remembers each for `info`. */

import { resolve } from "node:path";
import { DenrootError } from "../errors.ts";
import type { LoadedValues, Value } from "./load_values.ts";

export interface SettingEntry {
  readonly name: string;
  /** As text, without passwords. */
  readonly value: string;
  /** `default`, `environment` or the path of the file that set it. */
  readonly origin: string;
  readonly note?: string;
}

interface NumberRule {
  readonly min: number;
  readonly max: number;
}

const SUFFIXES: Readonly<Record<string, number>> = {
  "": 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

export class SettingReader {
  readonly entries: SettingEntry[] = [];
  readonly #loaded: LoadedValues;

  constructor(loaded: LoadedValues) {
    this.#loaded = loaded;
  }

  /** The first of `names` that is set. */
  text(names: string | readonly string[], standard: string, note?: string): string;
  text(names: string | readonly string[], standard?: undefined, note?: string): string | undefined;
  text(names: string | readonly string[], standard?: string, note?: string): string | undefined {
    const [name, found] = this.#find(names);
    const value = found === undefined || this.#saysNo(name, found.value) ? standard : found.value;
    this.#remember(name, value ?? "", value === found?.value ? found : undefined, note);
    return value;
  }

  /** An absolute path. */
  path(name: string, standard: string, note?: string): string {
    return resolve(this.text(name, standard, note));
  }

  /** enroot's yes and no: everything that is not one of a few words for no means yes. */
  flag(name: string, standard: boolean, note?: string): boolean {
    const [, found] = this.#find(name);
    const value = found === undefined ? standard : !meansNo(found.value);
    const odd = found !== undefined && value && !/^(?:y|yes|t|true|1)$/i.test(found.value);
    this.#remember(
      name,
      value ? "yes" : "no",
      found,
      odd ? `"${found.value}" means yes, as in enroot` : note,
    );
    return value;
  }

  integer(name: string, standard: number, rule: NumberRule, note?: string): number;
  integer(
    name: string,
    standard: undefined,
    rule: NumberRule,
    note?: string,
  ): number | undefined;
  integer(
    name: string,
    standard: number | undefined,
    rule: NumberRule,
    note?: string,
  ): number | undefined {
    return this.#number(
      name,
      standard,
      note,
      `a whole number from ${rule.min} to ${rule.max}`,
      (text) => {
        const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
        return value >= rule.min && value <= rule.max ? value : undefined;
      },
    );
  }

  /** Seconds, with a fraction if need be. */
  seconds(name: string, standard: number, max: number, note?: string): number {
    return this.#number(
      name,
      standard,
      note,
      `seconds from 0 to ${max}, 0 for no limit`,
      (text) => {
        const value = /^[0-9]{1,9}(?:\.[0-9]{1,6})?$/.test(text) ? Number(text) : NaN;
        return value <= max ? value : undefined;
      },
    );
  }

  /** Bytes, with K, M, G, T for powers of 1024. */
  bytes(name: string, standard: string, note?: string): number {
    const parse = (text: string) => {
      const match = /^([0-9]{1,15})([KMGT]?)(?:i?B)?$/i.exec(text);
      if (match === null) return undefined;
      const value = Number(match[1]) * SUFFIXES[match[2]!.toUpperCase()]!;
      return value > 0 && Number.isSafeInteger(value) ? value : undefined;
    };
    const rule = "a number of bytes over 0, with K, M, G or T for powers of 1024";
    const [, found] = this.#find(name);
    if (found === undefined) {
      this.#remember(name, standard, undefined, note);
      return parse(standard)!;
    }
    return this.#number(name, undefined, note, rule, parse)!;
  }

  /** Adds what was read elsewhere. */
  remember(name: string, value: Value, note?: string): void {
    this.#remember(name, value.value, value, note);
  }

  #number<T extends number | undefined>(
    name: string,
    standard: T,
    note: string | undefined,
    rule: string,
    parse: (text: string) => number | undefined,
  ): number | T {
    const [, found] = this.#find(name);
    if (found === undefined || this.#saysNo(name, found.value)) {
      this.#remember(name, standard === undefined ? "" : String(standard), undefined, note);
      return standard;
    }
    const value = parse(found.value.trim());
    if (value === undefined) throw badSetting(name, found, rule);
    this.#remember(name, found.value, found, note);
    return value;
  }

  #find(names: string | readonly string[]): [string, Value | undefined] {
    const list = typeof names === "string" ? [names] : names;
    for (const name of list) {
      const value = this.#loaded.values.get(name);
      if (value !== undefined) return [name, value];
    }
    return [list[0]!, undefined];
  }

  /** enroot unsets each of its variables that says no, whatever it is for. */
  #saysNo(name: string, value: string): boolean {
    return name.startsWith("ENROOT_") && meansNo(value);
  }

  #remember(name: string, value: string, found: Value | undefined, note?: string): void {
    const notes = [found?.note, found ? undefined : this.#loaded.ignored.get(name), note];
    const joined = notes.filter((text) => text !== undefined).join("; ");
    this.entries.push({
      name,
      value: withoutPassword(value),
      origin: found?.origin ?? "default",
      ...(joined !== "" && { note: joined }),
    });
  }
}

/** enroot's words for no. */
export function meansNo(value: string): boolean {
  return /^(?:no?|N[oO]?|[fF](?:alse)?|FALSE)$/.test(value);
}

/** Takes user and password out of a URL; rather too much than too little. */
function withoutPassword(value: string): string {
  return value.includes("://")
    ? value.replace(/:\/\/\S*@/g, "://***@")
    : value.replace(/^[^\s:]*:\S*@/, "***@");
}

function badSetting(name: string, found: Value, rule: string): DenrootError {
  const place = found.origin === "environment" ? "the environment" : found.origin;
  const alias = found.note === undefined ? "" : ` (${found.note})`;
  return new DenrootError(
    "settings",
    `${name} is "${withoutPassword(found.value)}" in ${place}${alias}, but must be ${rule}`,
    { hint: "Correct it or remove it; denroot info shows all settings" },
  );
}
