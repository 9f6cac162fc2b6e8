/** The registries that the user names, and all locations that registries.conf has for them. */

import { loadRegistriesConf, mergeRegistriesFiles } from "../containers_conf/registries_conf.ts";
import { type ImageLocation, imageLocations } from "../containers_conf/image_locations.ts";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { plainText } from "../text/quote_text.ts";
import { parseReference } from "../reference/parse_reference.ts";
import type { DockerReference } from "../types/reference.ts";
import { checkRegistry } from "./check_registry.ts";
import { FETCHING, type Finding, Findings } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** Checks every location of every registry once. */
export async function checkRegistries(
  references: readonly DockerReference[],
  settings: Settings,
  machine: Pick<Machine, "nowMs">,
  signal: AbortSignal,
): Promise<Finding[]> {
  // checkNetwork reports a file that cannot be used.
  const conf = await loadRegistriesConf(settings.environment).catch(() => mergeRegistriesFiles([]));
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const reference of references) {
    const { registry } = reference;
    let locations: readonly ImageLocation[];
    try {
      locations = imageLocations(reference, conf);
    } catch (error) {
      const found = new Findings(`Registry ${registry}`);
      const remedy = error instanceof DenrootError ? error.hint : undefined;
      found.add("error", "Configuration", FETCHING, messageOf(error), remedy);
      findings.push(...found.list);
      continue;
    }
    const key = JSON.stringify([registry, locations.map((one) => ({ ...one, repository: "" }))]);
    if (seen.has(key)) continue;
    seen.add(key);
    const lists: Finding[][] = [];
    for (const location of locations) {
      lists.push(await checkLocation(location, registry, settings, machine, signal));
    }
    findings.push(...withOneWorking(lists));
  }
  return findings;
}

async function checkLocation(
  location: ImageLocation,
  named: string,
  settings: Settings,
  machine: Pick<Machine, "nowMs">,
  signal: AbortSignal,
): Promise<Finding[]> {
  const found = new Findings(`Registry ${location.registry}`);
  const note = (message: string) => found.add("note", "Configuration", FETCHING, message);
  if (location.isMirror) note(`it is a mirror of ${named}`);
  else if (location.registry !== named) note(`it takes the place of ${named}`);
  if (location.blockedBy !== undefined) {
    note(`it is blocked by ${location.blockedBy}: nothing is asked`);
    return found.list;
  }
  return [...found.list, ...await checkRegistry(location, settings, machine, signal)];
}

/** An import goes on to the next location: when one works, failures of the others are warnings. */
function withOneWorking(lists: readonly (readonly Finding[])[]): readonly Finding[] {
  const works = (list: readonly Finding[]) =>
    list.some(({ subject }) => subject === "Connection") &&
    list.every(({ status }) => status !== "error");
  const findings = lists.flat();
  if (!lists.some(works)) return findings;
  return findings.map((finding) =>
    finding.status === "error" ? { ...finding, status: "warning" } : finding
  );
}

/**
 * The image of a URI (`docker://nvcr.io#nvidia/pytorch`), or for a registry's name (`nvcr.io`) an
 * image that stands for all of them. Throws code `reference`, `unsupported` or `usage` for others.
 */
export function parseRegistry(text: string): DockerReference {
  const isUri = /^[a-z]+:\/\/|^oci:/.test(text);
  const reference = parseReference(isUri ? text : `docker://${text}#image`);
  if (reference.scheme === "docker") return reference;
  throw new DenrootError("usage", `${plainText(text)} names no registry`, {
    hint: "Name a registry, like nvcr.io, or an image in one, like docker://alpine",
  });
}
