/** The registries that are named, at the places where registries.conf lets an import look. */

import { loadRegistriesConf, mergeRegistriesFiles } from "../containers_conf/registries_conf.ts";
import { type Endpoint, endpointsOf } from "../containers_conf/registry_endpoints.ts";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { plainText } from "../text/quote_text.ts";
import { parseReference } from "../reference/parse_reference.ts";
import type { DockerReference } from "../types/reference.ts";
import { checkRegistry } from "./check_registry.ts";
import { FETCHING, type Finding, Findings } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** Looks at every place of every registry, once. */
export async function checkRegistries(
  references: readonly DockerReference[],
  settings: Settings,
  machine: Pick<Machine, "nowMs">,
  signal: AbortSignal,
): Promise<Finding[]> {
  // A file that cannot be used is a finding of the network's.
  const conf = await loadRegistriesConf(settings.environment).catch(() => mergeRegistriesFiles([]));
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const reference of references) {
    const { registry } = reference;
    let places: readonly Endpoint[];
    try {
      places = endpointsOf(reference, conf);
    } catch (error) {
      const found = new Findings(`Registry ${registry}`);
      const remedy = error instanceof DenrootError ? error.hint : undefined;
      found.add("error", "Configuration", FETCHING, messageOf(error), remedy);
      findings.push(...found.list);
      continue;
    }
    const key = JSON.stringify([registry, places.map((place) => ({ ...place, repository: "" }))]);
    if (seen.has(key)) continue;
    seen.add(key);
    const lists: Finding[][] = [];
    for (const place of places) {
      lists.push(await checkPlace(place, registry, settings, machine, signal));
    }
    findings.push(...withOneEnough(lists));
  }
  return findings;
}

async function checkPlace(
  place: Endpoint,
  named: string,
  settings: Settings,
  machine: Pick<Machine, "nowMs">,
  signal: AbortSignal,
): Promise<Finding[]> {
  const found = new Findings(`Registry ${place.registry}`);
  const note = (message: string) => found.add("note", "Configuration", FETCHING, message);
  if (place.isMirror) note(`a mirror of ${named}`);
  else if (place.registry !== named) note(`takes the place of ${named}`);
  if (place.blockedBy !== undefined) {
    note(`blocked by ${place.blockedBy}: it is not asked`);
    return found.list;
  }
  return [...found.list, ...await checkRegistry(place, settings, machine, signal)];
}

/** An import goes on to the next place: where one is in order, no other stops it. */
function withOneEnough(lists: readonly (readonly Finding[])[]): readonly Finding[] {
  const isInOrder = (list: readonly Finding[]) =>
    list.some(({ subject }) => subject === "Connection") &&
    list.every(({ status }) => status !== "error");
  const findings = lists.flat();
  if (!lists.some(isInOrder)) return findings;
  return findings.map((finding) =>
    finding.status === "error" ? { ...finding, status: "warning" } : finding
  );
}

/**
 * The image of a URI, or one that stands for all of a registry: `docker://nvcr.io#nvidia/pytorch`,
 * `nvcr.io`. Throws code `reference`, `unsupported` or `usage` when it is neither.
 */
export function parseRegistry(text: string): DockerReference {
  const isUri = /^[a-z]+:\/\/|^oci:/.test(text);
  const reference = parseReference(isUri ? text : `docker://${text}#image`);
  if (reference.scheme === "docker") return reference;
  throw new DenrootError("usage", `There is no registry in ${plainText(text)}`, {
    hint: "Name a registry, as nvcr.io, or an image in one, as docker://alpine",
  });
}
