/** The one table of schemes. A new scheme is an entry here, in the facts and in the transports. */

import type { Reference } from "../types/reference.ts";
import { dirScheme } from "./dir_scheme.ts";
import { dockerArchiveScheme } from "./docker_archive_scheme.ts";
import { dockerScheme } from "./docker_scheme.ts";
import { engineScheme } from "./engine_scheme.ts";
import { ociArchiveScheme, ociScheme } from "./oci_scheme.ts";
import { ostreeScheme } from "./ostree_scheme.ts";
import { pathScheme } from "./path_scheme.ts";
import { SCHEME_FACTS, type SchemeFacts } from "./scheme_facts.ts";
import type { ReferenceOf, Scheme, SchemeRules } from "./scheme_rules.ts";
import { storageScheme } from "./storage_scheme.ts";

type SchemeEntry<R extends Reference> = SchemeFacts & SchemeRules<R>;

export const SCHEMES: { readonly [S in Scheme]: SchemeEntry<ReferenceOf<S>> } = {
  docker: { ...SCHEME_FACTS.docker, ...dockerScheme },
  oci: { ...SCHEME_FACTS.oci, ...ociScheme },
  "oci-archive": { ...SCHEME_FACTS["oci-archive"], ...ociArchiveScheme },
  "docker-archive": { ...SCHEME_FACTS["docker-archive"], ...dockerArchiveScheme },
  dir: { ...SCHEME_FACTS.dir, ...dirScheme },
  dockerd: { ...SCHEME_FACTS.dockerd, ...engineScheme("dockerd") },
  "docker-daemon": { ...SCHEME_FACTS["docker-daemon"], ...engineScheme("docker-daemon") },
  podman: { ...SCHEME_FACTS.podman, ...engineScheme("podman") },
  "containers-storage": { ...SCHEME_FACTS["containers-storage"], ...storageScheme },
  ostree: { ...SCHEME_FACTS.ostree, ...ostreeScheme },
  path: { ...SCHEME_FACTS.path, ...pathScheme },
};

/** The entry for the scheme of `reference`. */
export function schemeOf<R extends Reference>(reference: R): SchemeEntry<R> {
  return SCHEMES[reference.scheme] as unknown as SchemeEntry<R>;
}
