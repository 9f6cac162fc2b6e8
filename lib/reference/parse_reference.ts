/** Text to `Reference`: chooses the scheme's grammar. */

import { DenrootError } from "../errors.ts";
import type { Reference } from "../types/reference.ts";
import { parseDockerArchiveReference } from "./parse_docker_archive_reference.ts";
import { parseDockerReference } from "./parse_docker_reference.ts";
import { parseEngineReference } from "./parse_engine_reference.ts";
import { parseOciReference } from "./parse_oci_reference.ts";
import { parseOstreeReference } from "./parse_ostree_reference.ts";
import { parseStorageReference } from "./parse_storage_reference.ts";
import { badReference, checkPath, refuseControlCharacters } from "./rules.ts";

const TEXT_LIMIT = 4096;

type Parser = (text: string) => Reference;

/** By what a reference begins with. */
const PARSERS: ReadonlyMap<string, Parser> = new Map<string, Parser>([
  ["docker://", parseDockerReference],
  ["dockerd://", (text) => parseEngineReference(text, "dockerd")],
  ["podman://", (text) => parseEngineReference(text, "podman")],
  ["docker-daemon:", (text) => parseEngineReference(text, "docker-daemon")],
  ["containers-storage:", parseStorageReference],
  ["oci:", (text) => parseOciReference(text, "oci")],
  ["oci-archive:", (text) => parseOciReference(text, "oci-archive")],
  ["docker-archive:", parseDockerArchiveReference],
  ["dir:", parseDirectory],
  ["ostree:", parseOstreeReference],
]);

/** Schemes that other tools know and users will try. */
const FOREIGN_SCHEMES: ReadonlySet<string> = new Set(["sif", "tarball"]);

/**
 * Reads a reference of any scheme. Text without one is a path; whether anything lies there shows
 * when it is opened.
 *
 * Throws code `reference` with the position and the rule that is broken, code `unsupported` for a
 * scheme that denroot does not have.
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
  refuseControlCharacters(text);
  const prefix = /^[a-z-]+:(?:\/\/)?/.exec(text)?.[0] ?? "";
  const parse = PARSERS.get(prefix) ?? PARSERS.get(prefix.replace("//", ""));
  return parse === undefined ? parsePath(text) : parse(text);
}

function parseDirectory(text: string): Reference {
  return { scheme: "dir", path: checkPath(text, "dir:".length, text.length, "directory") };
}

function parsePath(text: string): Reference {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { scheme: "path", path: text };
  const known = [...PARSERS.keys()].find((prefix) => prefix.startsWith(`${scheme}:`));
  if (known !== undefined) {
    throw badReference(text, 0, `this scheme is written "${known}"`, HINT);
  }
  if (FOREIGN_SCHEMES.has(scheme) || text.includes("://")) {
    throw new DenrootError("unsupported", `The scheme "${scheme}:" is not supported`, {
      hint: HINT,
    });
  }
  return { scheme: "path", path: text };
}

const HINT = "Write docker://[USER@][REGISTRY#]IMAGE[:TAG] for an image in a registry, or the " +
  "path of an image on this machine; the help of the command has all schemes";
