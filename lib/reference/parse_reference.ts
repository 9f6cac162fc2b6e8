/** Text to `Reference`: chooses the scheme's grammar. */

import { DenrootError } from "../errors.ts";
import type { Reference } from "../types.ts";
import { parseDockerReference } from "./parse_docker_reference.ts";
import { parseOciReference } from "./parse_oci_reference.ts";
import { badReference, refuseControlCharacters, visible } from "./rules.ts";

const TEXT_LIMIT = 4096;

/** Schemes that other tools know and users will try. */
const FOREIGN_SCHEMES: ReadonlySet<string> = new Set([
  "containers-storage",
  "dir",
  "docker-archive",
  "docker-daemon",
  "dockerd",
  "oci-archive",
  "ostree",
  "podman",
  "sif",
  "tarball",
]);

/**
 * Reads `docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]`, `docker://REGISTRY/IMAGE…`,
 * `oci:PATH[:TAG][@DIGEST]`.
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
  if (text.startsWith("docker://")) return parseDockerReference(text);
  if (text.startsWith("oci:")) return parseOciReference(text);

  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase();
  if (scheme === "docker" || scheme === "oci") {
    const prefix = scheme === "docker" ? "docker://" : "oci:";
    throw badReference(text, 0, `this scheme is written "${prefix}"`, HINT);
  }
  if (scheme !== undefined && (FOREIGN_SCHEMES.has(scheme) || text.includes("://"))) {
    throw new DenrootError(
      "unsupported",
      `The scheme "${scheme}:" is not supported; docker:// and oci: are`,
      { hint: HINT },
    );
  }
  throw badReference(
    text,
    0,
    "a reference begins with its scheme, docker:// or oci:",
    `For an image in a registry write docker://${visible(text)}`,
  );
}

const HINT = "Write docker://[USER@][REGISTRY#]IMAGE[:TAG] for an image in a registry, " +
  "oci:PATH[:TAG] for an OCI layout directory";
