/**
 * Ranges of semantic versions, as skopeo reads them in a list (`images-by-semver`): `>=3.18 <3.21`,
 * `~1.2`, `^2`, `3.12 - 3.13`, `1.x || 2.x`.
 */

import { DenrootError } from "../../errors.ts";
import { quoteText } from "../../text/quote_text.ts";

interface Version {
  /** Major, minor, patch, as many as were written. */
  readonly numbers: readonly number[];
  /** What follows a dash: `alpine`, `rc.1`. */
  readonly rest: string;
}

type Test = (version: Version) => boolean;

const NUMBERS = "[vV]?(\\d{1,9}|[xX*])(?:\\.(\\d{1,9}|[xX*]))?(?:\\.(\\d{1,9}|[xX*]))?";
const VERSION = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-([0-9A-Za-z.-]+))?$/;
const TERM = new RegExp(
  `^(=|==|!=|>=|<=|=>|=<|>|<|~>?|\\^)?\\s*${NUMBERS}(?:-([0-9A-Za-z.-]+))?$`,
);
const HYPHEN = /^\s*(\S+)\s+-\s+(\S+)\s*$/;

/**
 * Gives the test that says whether a tag is a version in the range. A tag with more behind its numbers,
 * such as `3.20-rc1`, is in a range only when the range names such a version too. Throws code
 * `reference` for a text that is no range.
 */
export function semverRange(text: string): (tag: string) => boolean {
  const alternatives = text.split("||").map((part) => conjunction(part, text));
  return (tag) => {
    const version = parseVersion(tag);
    return version !== undefined && alternatives.some((test) => test(version));
  };
}

function conjunction(text: string, whole: string): Test {
  const hyphen = HYPHEN.exec(text);
  const terms = hyphen === null
    ? text.replace(/([<>=!~^])\s+/g, "$1").split(/[\s,]+/).filter((term) => term !== "")
    : [`>=${hyphen[1]}`, `<=${hyphen[2]}`];
  if (terms.length === 0) throw noRange(whole);
  const tests = terms.map((term) => comparison(term, whole));
  return (version) => tests.every((test) => test(version));
}

function comparison(term: string, whole: string): Test {
  const match = TERM.exec(term);
  if (match === null) throw noRange(whole);
  const [, operator = "=", ...parts] = match;
  const written = parts.slice(0, 3).filter((part) => part !== undefined);
  const open = written.findIndex((part) => /^[xX*]$/.test(part));
  const numbers = (open < 0 ? written : written.slice(0, open)).map(Number);
  const bound: Version = { numbers, rest: parts[3] ?? "" };
  const test = OPERATORS[operator]!(bound);
  return (version) => (version.rest === "" || bound.rest !== "") && test(version);
}

/** A bound with fewer than three numbers stands for all versions that begin with them. */
const OPERATORS: Readonly<Record<string, (bound: Version) => Test>> = {
  "=": (bound) => (version) => isWithin(version, bound),
  "==": (bound) => (version) => isWithin(version, bound),
  "!=": (bound) => (version) => !isWithin(version, bound),
  ">": (bound) => (version) => compare(version, bound) > 0 && !isWithin(version, bound),
  "<": (bound) => (version) => compare(version, bound) < 0,
  ">=": (bound) => (version) => compare(version, bound) >= 0,
  "=>": (bound) => (version) => compare(version, bound) >= 0,
  "<=": (bound) => (version) => compare(version, bound) <= 0 || isWithin(version, bound),
  "=<": (bound) => (version) => compare(version, bound) <= 0 || isWithin(version, bound),
  "~": (bound) => upTo(bound, Math.min(bound.numbers.length, 2)),
  "~>": (bound) => upTo(bound, Math.min(bound.numbers.length, 2)),
  "^": (bound) => upTo(bound, 1 + Math.max(0, bound.numbers.findIndex((number) => number > 0))),
};

/** From the bound on, as long as the first `count` numbers stay the same. */
function upTo(bound: Version, count: number): Test {
  const same: Version = { numbers: bound.numbers.slice(0, count), rest: "" };
  return (version) => compare(version, bound) >= 0 && isWithin(version, same);
}

function isWithin(version: Version, { numbers, rest }: Version): boolean {
  return numbers.every((number, place) => (version.numbers[place] ?? 0) === number) &&
    (rest === "" || version.rest === rest);
}

function compare(one: Version, other: Version): number {
  for (let place = 0; place < 3; place++) {
    const difference = (one.numbers[place] ?? 0) - (other.numbers[place] ?? 0);
    if (difference !== 0) return difference;
  }
  if (one.rest === other.rest) return 0;
  // A version without a suffix comes after those that lead to it.
  if (one.rest === "" || other.rest === "") return one.rest === "" ? 1 : -1;
  return one.rest.localeCompare(other.rest, "en", { numeric: true });
}

function parseVersion(tag: string): Version | undefined {
  const match = VERSION.exec(tag);
  if (match === null) return undefined;
  const [, ...parts] = match;
  const numbers = parts.slice(0, 3).filter((part) => part !== undefined).map(Number);
  return { numbers, rest: parts[3] ?? "" };
}

function noRange(text: string): DenrootError {
  return new DenrootError("reference", `${quoteText(text, 100)} is no range of versions`, {
    hint: 'Write it as in ">=3.18 <3.21", "~1.2" or "3.12 - 3.13"',
  });
}
