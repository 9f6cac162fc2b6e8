/** Rules that several schemes share, and the error for a broken rule. */

import { DenrootError } from "../errors.ts";
import { quotePath, quoteText } from "../text/quote_text.ts";
import { hidePassword } from "../text/redact.ts";
import type { Digest } from "../types/image.ts";

const HEX_DIGITS: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/**
 * The digest at the end of `text`, and the position of the separator before it. With `colon` the
 * separator may also be `:`.
 */
export function findDigest(
  text: string,
  options: { readonly colon?: boolean } = {},
): { readonly at: number; readonly digest: string } | undefined {
  const match = /@(sha(?:256|384|512):[^@]*)$/.exec(text) ??
    (options.colon ? /:(sha(?:256|384|512):[^:/#@]*)$/.exec(text) : null);
  return match === null ? undefined : { at: match.index, digest: match[1]! };
}

/** Checks `digest`, which begins at `offset` of `text`. */
export function checkDigest(text: string, offset: number, digest: string): Digest {
  const colon = digest.indexOf(":");
  const algorithm = digest.slice(0, colon);
  const length = HEX_DIGITS[algorithm];
  if (length === undefined) {
    throw badReference(text, offset, "a digest is sha256: or sha512: and hexadecimal digits");
  }
  const hex = digest.slice(colon + 1);
  const wrong = hex.search(/[^0-9a-f]/);
  const rule = `${length} lower-case hexadecimal digits follow ${algorithm}:`;
  if (wrong >= 0) throw badReference(text, offset + colon + 1 + wrong, rule);
  if (hex.length !== length) {
    const position = offset + colon + 1 + Math.min(hex.length, length);
    throw badReference(text, position, `${rule}, not ${hex.length}`);
  }
  return digest;
}

/** The path from `start` up to `end`, where a file or a directory is expected. */
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
      `the path of a ${what} follows ${text.slice(0, start)}`,
      "For an image in a registry write docker://REGISTRY/IMAGE:TAG",
    );
  }
  return text.slice(start, end);
}

/** The number of an image among several, which follows `:@` from `start` up to `end`. */
export function checkIndex(text: string, start: number, end: number): number {
  const digits = text.slice(start, end);
  if (!/^[0-9]{1,9}$/.test(digits)) {
    throw badReference(text, start, 'the number of an image follows ":@", counted from 0');
  }
  return Number(digits);
}

/** `@DIGEST`, else `:TAG`, else `:@INDEX`, else nothing. */
export function formatVersion(
  { tag, digest, index }: {
    readonly tag?: string | undefined;
    readonly digest?: Digest | undefined;
    readonly index?: number | undefined;
  },
): string {
  if (digest !== undefined) return `@${digest}`;
  if (tag !== undefined) return `:${tag}`;
  return index === undefined ? "" : `:@${index}`;
}

/**
 * Refuses `USER:PASSWORD@`, in any scheme and without one: every user of the machine can read a
 * command line, and messages end in logs. The error shows nothing of the text.
 */
export function refusePassword(text: string): void {
  if (hidePassword(text) === text) return;
  throw new DenrootError(
    "reference",
    "The image reference holds a password, or a user with a colon in it",
    {
      hint:
        'Write docker://USER@REGISTRY#IMAGE, and "machine REGISTRY login USER password PASSWORD" ' +
        "into $ENROOT_CONFIG_PATH/.credentials; docker login and podman login keep passwords too",
    },
  );
}

/** Refuses characters that could play tricks on a terminal or break a line of a file. */
export function refuseControlCharacters(text: string): void {
  const index = text.search(/[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u);
  if (index < 0) return;
  throw badReference(text, index, "control characters are not allowed");
}

/** The error for `text` that breaks `rule` at `index`, counted from 0. */
export function badReference(
  text: string,
  index: number,
  rule: string,
  hint?: string,
): DenrootError {
  const found = index < text.length
    ? quoteText(String.fromCodePoint(text.codePointAt(index)!))
    : "the end";
  return new DenrootError(
    "reference",
    `Invalid image reference ${quotePath(text)}: ${rule} (${found} is at character ${index + 1})`,
    { hint },
  );
}
