/** `containers-storage:[[DRIVER@]ROOT[+RUN-ROOT][:OPTIONS]]IMAGE`; the outer brackets are meant literally. */

import type { StorageReference } from "../types/reference.ts";
import { parseImageName } from "./image_name.ts";
import { badReference } from "./rules.ts";

const SCHEME = "containers-storage";
/** As containers/image has it: fewer hexadecimal digits are no image's ID. */
const MIN_ID_LENGTH = 3;
const MAX_ID_LENGTH = 64;

/** Reads what follows the scheme. */
export function parseStorageReference(text: string): StorageReference {
  const start = SCHEME.length + 1;
  if (text[start] !== "[") {
    return { scheme: SCHEME, options: [], image: checkImage(text, start) };
  }
  const close = text.indexOf("]", start);
  if (close < 0) throw badReference(text, text.length, 'the storage\'s place ends with "]"');
  return {
    scheme: SCHEME,
    ...parsePlace(text, start + 1, close),
    image: checkImage(text, close + 1),
  };
}

function parsePlace(
  text: string,
  start: number,
  end: number,
): Pick<StorageReference, "driver" | "root" | "runRoot" | "options"> {
  const at = indexBefore(text, "@", start, end);
  const driver = at === undefined ? undefined : text.slice(start, at);
  const rootStart = at === undefined ? start : at + 1;
  const colon = indexBefore(text, ":", rootStart, end);
  const rootsEnd = colon ?? end;
  const plus = indexBefore(text, "+", rootStart, rootsEnd);
  const root = checkDirectory(text, rootStart, plus ?? rootsEnd);
  const runRoot = plus === undefined ? undefined : checkDirectory(text, plus + 1, rootsEnd);
  if (driver === "") throw badReference(text, start, 'the driver before "@" is empty');
  return {
    ...(driver !== undefined && { driver }),
    root,
    ...(runRoot !== undefined && { runRoot }),
    options: colon === undefined ? [] : text.slice(colon + 1, end).split(","),
  };
}

function indexBefore(text: string, wanted: string, start: number, end: number): number | undefined {
  const index = text.indexOf(wanted, start);
  return index >= 0 && index < end ? index : undefined;
}

function checkDirectory(text: string, start: number, end: number): string {
  if (text[start] !== "/" || start === end) {
    throw badReference(text, start, "the storage's place is an absolute path");
  }
  return text.slice(start, end);
}

/** `NAME[:TAG][@DIGEST]`, either with `@ID` behind it, or `@ID` alone. */
function checkImage(text: string, start: number): string {
  const at = text.lastIndexOf("@");
  const hasId = at >= start && !/^sha\d+:/.test(text.slice(at + 1));
  if (hasId) checkId(text, at + 1);
  if (!hasId || at > start) parseImageName(text, start, hasId ? at : text.length);
  return text.slice(start);
}

function checkId(text: string, start: number): void {
  const id = text.slice(start);
  const wrong = id.search(/[^0-9a-f]/);
  const rule = 'behind "@" stands a digest, or an image\'s ID in hexadecimal digits';
  if (wrong >= 0) throw badReference(text, start + wrong, rule);
  if (id.length < MIN_ID_LENGTH || id.length > MAX_ID_LENGTH) {
    throw badReference(text, Math.min(text.length, start + MAX_ID_LENGTH), rule);
  }
}
