/** Environments byte for byte, as `NAME=VALUE`: neither names nor values need be UTF-8. */

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";

const EQUALS = 0x3d;

/** The environment with which a process was started, which `process` shows as `/proc/PID` does. */
export function environmentOf(process: string): Uint8Array[] {
  const bytes = readFileSync(`${process}/environ`);
  const variables: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0, start);
    const stop = end < 0 ? bytes.length : end;
    // A process may have written NULs over its environment.
    if (stop > start) variables.push(bytes.subarray(start, stop));
    start = stop + 1;
  }
  return variables;
}

/** The environment with the variables `added` in place of those of the same names. */
export function withVariables(
  environment: readonly Uint8Array[],
  added: readonly string[],
): Uint8Array[] {
  const variables = added.map((word) => Buffer.from(word));
  const names = new Set(variables.map(nameOf));
  return [...environment.filter((variable) => !names.has(nameOf(variable))), ...variables];
}

/** The value of the first variable of the name. */
export function valueOf(environment: readonly Uint8Array[], name: string): string | undefined {
  const found = environment.find((variable) => nameOf(variable) === name);
  return found && Buffer.from(found).toString("utf8").slice(name.length + 1);
}

function nameOf(variable: Uint8Array): string {
  const equals = variable.indexOf(EQUALS);
  const name = equals < 0 ? variable : variable.subarray(0, equals);
  return Buffer.from(name).toString("utf8");
}
