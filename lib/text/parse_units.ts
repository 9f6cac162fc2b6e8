/** Sizes and times as people write them. */

const BYTE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

const MINUTE_MS = 60_000;
const AGE_UNITS: Readonly<Record<string, number>> = {
  M: MINUTE_MS,
  H: 60 * MINUTE_MS,
  D: 24 * 60 * MINUTE_MS,
  W: 7 * 24 * 60 * MINUTE_MS,
};

/**
 * Bytes of `0`, `4096`, `1.5G` or `100GiB`, by powers of 1024 and without the part of a byte;
 * undefined for other texts, and from 2^53 bytes (8192T) on.
 */
export function parseBytes(text: string): number | undefined {
  const match = /^([0-9]{1,20}(?:\.[0-9]{1,9}(?=[KMGT]))?)([KMGT]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const value = Math.floor(Number(match[1]) * BYTE_UNITS[match[2]!.toUpperCase()]!);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Milliseconds of `90m`, `12h`, `1.5d` or `2w`, however many; undefined for other texts. */
export function parseAge(text: string): number | undefined {
  const match = /^([0-9]{1,20}(?:\.[0-9]{1,9})?)([mhdw])$/i.exec(text.trim());
  return match === null ? undefined : Number(match[1]) * AGE_UNITS[match[2]!.toUpperCase()]!;
}
