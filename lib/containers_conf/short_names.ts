/** Image names without a registry: aliases and search registries (containers-registries.conf(5)). */

import { DenrootError } from "../errors.ts";
import { DOCKER_HUB_NAME, dockerHubRepository } from "../reference/docker_hub.ts";
import type { RegistriesConf } from "./registries_conf.ts";

/**
 * What `name` (`IMAGE[:TAG][@DIGEST]`) may stand for, in the order to be tried: only its alias if it
 * has one, else the image in each of the search registries. Tag and digest stay. A name with a
 * registry stands for itself.
 *
 * Throws code `reference` when there is neither an alias nor a search registry, and when there are
 * several and the mode is `enforcing`.
 */
export function resolveShortName(name: string, conf: RegistriesConf): readonly string[] {
  if (hasHost(name)) return [name];
  const [, image, version] = /^([^:@]*)(.*)$/s.exec(name)!;
  const alias = conf.aliases.get(image!);
  if (alias !== undefined) return [`${withLibrary(alias)}${version}`];
  const { searchRegistries, shortNameMode } = conf;
  const candidates = searchRegistries.map((host) => `${withLibrary(`${host}/${image}`)}${version}`);
  if (candidates.length === 0) throw nowhere(name);
  if (candidates.length > 1 && shortNameMode === "enforcing") throw ambiguous(name, candidates);
  return candidates;
}

/** Whether a name begins with a registry, by Docker's rule. */
export function hasHost(name: string): boolean {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  return /[.:]/.test(first) || first === "localhost";
}

/** On Docker Hub an image without a namespace belongs to `library`. */
function withLibrary(name: string): string {
  const hub = `${DOCKER_HUB_NAME}/`;
  return name.startsWith(hub) ? hub + dockerHubRepository(name.slice(hub.length)) : name;
}

function nowhere(name: string): DenrootError {
  return new DenrootError(
    "reference",
    `${JSON.stringify(name)} names no registry, has no alias, and no search registries are set`,
    {
      hint: "Write REGISTRY/IMAGE, or set unqualified-search-registries or an alias " +
        "in registries.conf",
    },
  );
}

function ambiguous(name: string, candidates: readonly string[]): DenrootError {
  return new DenrootError(
    "reference",
    `${JSON.stringify(name)} may be ${candidates.join(" or ")}, and short-name-mode is enforcing`,
    { hint: "Write the full name, or add an alias to registries.conf" },
  );
}
