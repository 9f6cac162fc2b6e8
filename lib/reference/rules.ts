/** The rules that several kinds of references share, and the error for a broken one. */

import { DenrootError } from "../errors.ts";
import type { Digest } from "../types/image.ts";

const HEX_DIGITS: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/**
 * The digest that `text` ends with, and where the separator before it stands. `:` may separate too
 * where `colon` is set.
 */
export function findDigest(
  text: string,
  options: { readonly colon?: boolean } = {},
): { readonly at: number; readonly digest: string } | undefined {
  const match = /@(sha(?:256|384|512):[^@]*)$/.exec(text) ??
    (options.colon ? /:(sha(?:256|384|512):[^:/#@]*)$/.exec(text) : null);
  return match === null ? undefined : { at: match.index, digest: match[1]! };
}

/** Checks a digest that stands at `offset` of `text`. */
export function checkDigest(text: string, offset: number, digest: string): Digest {
  const colon = digest.indexOf(":");
  const algorithm = digest.slice(0, colon);
  const length = HEX_DIGITS[algorithm];
  if (length === undefined) {
    throw badReference(text, offset, "a digest is sha256: or sha512: with hexadecimal digits");
  }
  const hex = digest.slice(colon + 1);
  const wrong = hex.search(/[^0-9a-f]/);
  const rule = `${algorithm}: is followed by ${length} lower-case hexadecimal digits`;
  if (wrong >= 0) throw badReference(text, offset + colon + 1 + wrong, rule);
  if (hex.length !== length) {
    const position = offset + colon + 1 + Math.min(hex.length, length);
    throw badReference(text, position, `${rule}, not by ${hex.length}`);
  }
  return digest;
}

/** The path that stands from `start` up to `end`; `what` is the kind of thing that lies there. */
export function checkPath(
  text: string,
  start: number,
  end: number,
  what: "directory" | "file",
): string {
  if (start === end) throw badReference(text, start, `the path of the ${what} is empty`);
  if (/^\/\/[^/]/.test(text.slice(start))) {
    throw badReference(
      text,
      start,
      `${text.slice(0, start)} is followed by the path of a ${what}`,
      "For an image in a registry write docker://REGISTRY/IMAGE:TAG",
    );
  }
  return text.slice(start, end);
}

/** The place of an image among several, that stands behind `:@` from `start` up to `end`. */
export function checkIndex(text: string, start: number, end: number): number {
  const digits = text.slice(start, end);
  if (!/^[0-9]{1,9}$/.test(digits)) {
    throw badReference(text, start, 'behind ":@" stands an image\'s number, counted from 0');
  }
  return Number(digits);
}

/** Refuses what could play tricks on a terminal or break a line of a file. */
export function refuseControlCharacters(text: string): void {
  const index = text.search(/[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u);
  if (index < 0) return;
  throw badReference(text, index, "control characters have no place in a reference");
}

/** The error for a rule that is broken at `index` (from 0) of `text`. */
export function badReference(
  text: string,
  index: number,
  rule: string,
  hint?: string,
): DenrootError {
  const found = index < text.length
    ? `"${visible(String.fromCodePoint(text.codePointAt(index)!))}" at character ${index + 1}`
    : `the end at character ${index + 1}`;
  return new DenrootError(
    "reference",
    `Invalid image reference "${shorten(visible(withoutPassword(text)))}": ${found}: ${rule}`,
    { hint },
  );
}

/** Control characters as `\u{…}`. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** Some write USER:PASSWORD@ in spite of all; error messages end in logs. */
function withoutPassword(text: string): string {
  return text.replace(/^(docker:\/\/[^:/#@]*):.*@(?!sha\d+:)/s, "$1:***@");
}

function shorten(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 297)}...`;
}
