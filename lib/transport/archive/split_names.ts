/** The names of an archive's parts: `FILE.001`, `FILE.002`..., with `SHA256SUMS` beside them. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError } from "../../errors.ts";
import { quotePath } from "../../text/quote_text.ts";

export function partName(file: string, number: number): string {
  return `${file}.${String(number).padStart(3, "0")}`;
}

export function sumsBeside(file: string): string {
  return path.join(path.dirname(file), "SHA256SUMS");
}

/** Whether the archive is there in parts, and not in one piece. All of them may be missing. */
export function isSplit(file: string): boolean {
  if (fs.existsSync(file)) return false;
  return fs.existsSync(partName(file, 1)) || numbersOf(namesInSums(file), file).length > 0;
}

/** The archive that the file is one of several parts of. */
export function wholeOf(part: string): string | undefined {
  const [, whole] = /^(.*[^/])\.\d{3,}$/s.exec(part) ?? [];
  const isPart = whole !== undefined && isSplit(whole) &&
    numbersOf([...namesBeside(whole), ...namesInSums(whole)], whole).some((number) => number > 1);
  return isPart ? whole : undefined;
}

/**
 * The parts of an archive, in their order. Throws code `not_found` for a part that is missing before
 * another one, or that `SHA256SUMS` names.
 */
export function partsOf(file: string): readonly string[] {
  const there = new Set(numbersOf(namesBeside(file), file));
  const count = Math.max(...there, ...numbersOf(namesInSums(file), file));
  const missing = Array.from({ length: count }, (_, index) => index + 1)
    .filter((number) => !there.has(number));
  if (missing.length > 0) throw partsMissing(file, missing, count);
  return Array.from({ length: count }, (_, index) => partName(file, index + 1));
}

function namesBeside(file: string): readonly string[] {
  return fs.readdirSync(path.dirname(file));
}

function namesInSums(file: string): readonly string[] {
  const sums = sumsBeside(file);
  if (!fs.existsSync(sums)) return [];
  return fs.readFileSync(sums, "utf8").split(/\r?\n/).map((line) => line.slice(66));
}

/** The numbers of those names that are parts of the archive. */
function numbersOf(names: readonly string[], file: string): readonly number[] {
  const stem = `${path.basename(file)}.`;
  return names.filter((name) => name.startsWith(stem))
    .map((name) => name.slice(stem.length))
    .filter((number) => /^\d{3,6}$/.test(number) && Number(number) > 0)
    .map(Number);
}

function partsMissing(file: string, missing: readonly number[], count: number): DenrootError {
  const names = missing.slice(0, 5).map((number) => path.basename(partName(file, number)));
  const rest = missing.length > 5 ? ` and ${missing.length - 5} more` : "";
  return new DenrootError(
    "not_found",
    `The archive ${quotePath(file)} lacks ${missing.length} of its ${count} parts: ` +
      `${names.join(", ")}${rest}`,
    { hint: "Put all parts into one directory" },
  );
}
