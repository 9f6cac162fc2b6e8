/** Text to a reference of any scheme. */

import { DenrootError } from "../errors.ts";
import type { Reference } from "../types/reference.ts";
import { badReference, refuseControlCharacters, refusePassword } from "./rules.ts";
import { SCHEMES } from "./schemes.ts";

const TEXT_LIMIT = 4096;

/** The schemes that have a prefix. */
const PREFIXED = Object.values(SCHEMES).filter(({ prefix }) => prefix !== "");

/** Schemes of other tools that users will try. */
const FOREIGN_SCHEMES: ReadonlySet<string> = new Set(["sif", "tarball"]);

/**
 * Reads a reference of any scheme. Text without a scheme is a path; nothing checks here whether the
 * file exists.
 *
 * Throws code `reference` with the position and the broken rule, code `unsupported` for a scheme that
 * denroot does not have.
 */
export function parseReference(text: string): Reference {
  if (text.length > TEXT_LIMIT) {
    throw new DenrootError(
      "reference",
      `The image reference has ${text.length} characters, more than ${TEXT_LIMIT}`,
    );
  }
  if (text === "") {
    throw new DenrootError("reference", "The image reference is empty", { hint: HINT });
  }
  refusePassword(text);
  refuseControlCharacters(text);
  const beginning = /^[a-z-]+:(?:\/\/)?/.exec(text)?.[0] ?? "";
  const scheme = schemeWith(beginning) ?? schemeWith(beginning.replace("//", ""));
  return scheme === undefined ? parsePath(text) : scheme.parse(text, scheme.prefix.length);
}

function schemeWith(prefix: string) {
  return PREFIXED.find((scheme) => scheme.prefix === prefix);
}

/** Refuses text that begins like a URI. Users can write `./PATH` for a path that begins so. */
function parsePath(text: string): Reference {
  const name = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase();
  if (name !== undefined) {
    const known = PREFIXED.find(({ prefix }) => prefix.startsWith(`${name}:`));
    if (known !== undefined) {
      throw badReference(
        text,
        0,
        `this scheme is written "${known.prefix}"`,
        `Write ${text.replace(/^[^:]*:\/*/, known.prefix)}`,
      );
    }
    if (FOREIGN_SCHEMES.has(name) || text.includes("://")) {
      throw new DenrootError("unsupported", `The scheme "${name}:" is not supported`, {
        hint: HINT,
      });
    }
  }
  return SCHEMES.path.parse(text, 0);
}

const HINT =
  `Write ${SCHEMES.docker.form} for an image in a registry, or the path of an image on ` +
  "this machine; denroot help import lists all schemes";
