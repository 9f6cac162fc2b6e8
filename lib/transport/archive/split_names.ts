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

/** Whether the archive is there in parts, and not in one piece. */
export function isSplit(file: string): boolean {
  return !fs.existsSync(file) && fs.existsSync(partName(file, 1));
}

/**
 * The parts of an archive, in their order. Throws code `not_found` for a part that is missing before
 * another one, or that `SHA256SUMS` names.
 */
export function partsOf(file: string): readonly string[] {
  const stem = `${path.basename(file)}.`;
  const numberOf = (name: string) =>
    name.startsWith(stem) && /^\d{3,}$/.test(name.slice(stem.length))
      ? Number(name.slice(stem.length))
      : 0;
  const sums = sumsBeside(file);
  const listed = fs.existsSync(sums)
    ? fs.readFileSync(sums, "utf8").split("\n").map((line) => line.slice(66))
    : [];
  const there = new Set(fs.readdirSync(path.dirname(file)).map(numberOf));
  const count = Math.max(...there, ...listed.map(numberOf));
  const missing = Array.from({ length: count }, (_, index) => index + 1)
    .filter((number) => !there.has(number));
  if (missing.length > 0) throw partsMissing(file, missing, count);
  return Array.from({ length: count }, (_, index) => partName(file, index + 1));
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
