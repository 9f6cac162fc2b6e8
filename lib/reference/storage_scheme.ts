/** `containers-storage:[[DRIVER@]ROOT[+RUN-ROOT][:OPTIONS]]IMAGE`; the outer brackets are part of the text. */

import type { StorageReference } from "../types/reference.ts";
import { imageBaseName } from "./base_name.ts";
import { parseImageName } from "./image_name.ts";
import { badReference } from "./rules.ts";
import type { SchemeRules } from "./scheme_rules.ts";

const SCHEME = "containers-storage";
/** In containers/image, the ID of an image has at least this many hexadecimal digits. */
const MIN_ID_LENGTH = 3;
const MAX_ID_LENGTH = 64;

export const storageScheme: SchemeRules<StorageReference> = {
  parse,
  format: (reference) => `${formatPlace(reference)}${reference.image}`,
  baseName: ({ image }) => storedName(image),
};

function parse(text: string, start: number): StorageReference {
  if (text[start] !== "[") {
    return { scheme: SCHEME, options: [], image: checkImage(text, start) };
  }
  const close = text.indexOf("]", start);
  if (close < 0) throw badReference(text, text.length, 'the place of the storage ends with "]"');
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
    throw badReference(text, start, "the place of the storage is an absolute path");
  }
  return text.slice(start, end);
}

/** `NAME[:TAG][@DIGEST]` with an optional `@ID` after it, or `@ID` alone. */
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
  const rule = 'a digest follows "@", or the ID of an image in hexadecimal digits';
  if (wrong >= 0) throw badReference(text, start + wrong, rule);
  if (id.length < MIN_ID_LENGTH || id.length > MAX_ID_LENGTH) {
    throw badReference(text, Math.min(text.length, start + MAX_ID_LENGTH), rule);
  }
}

function formatPlace({ driver, root, runRoot, options }: StorageReference): string {
  if (root === undefined) return "";
  const before = driver === undefined ? "" : `${driver}@`;
  const after = runRoot === undefined ? "" : `+${runRoot}`;
  return `[${before}${root}${after}${options.length === 0 ? "" : `:${options.join(",")}`}]`;
}

/** The name without the ID that follows it; the ID where there is no name. */
function storedName(image: string): string {
  const [name = "", id = ""] = image.split(/@(?=[0-9a-f]+$)/);
  return name === "" ? id : imageBaseName(parseImageName(name));
}
