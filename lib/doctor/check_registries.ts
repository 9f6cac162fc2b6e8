/** The registries that the user names, and all locations that registries.conf has for them. */

import { loadRegistriesConf, mergeRegistriesFiles } from "../containers_conf/registries_conf.ts";
import { type ImageLocation, imageLocations } from "../containers_conf/image_locations.ts";
import type { Settings } from "../config/settings.ts";
import { DenrootError, messageOf } from "../errors.ts";
import { quoteText } from "../text/quote_text.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { refusePassword } from "../reference/rules.ts";
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
 * The image of a URI (`docker://nvcr.io#nvidia/pytorch`) or of a name (`nvcr.io/nvidia/pytorch`), or
 * for a registry's name (`nvcr.io`) an image that stands for all of them. Throws code `reference` or
 * `unsupported` for a wrong URI, `usage` for any other text that names no registry.
 */
export function parseRegistry(text: string): DockerReference {
  refusePassword(text);
  const isUri = /^[a-z-]+:\/\/|^(?:oci|dir|docker-daemon):/.test(text) && !isWebAddress(text);
  if (isUri) {
    const reference = parseReference(text);
    if (reference.scheme === "docker") return reference;
    throw noRegistry(text);
  }
  const name = text.replace(/\/$/, "");
  try {
    return parseReference(
      name.includes("/") ? `docker://${name}` : `docker://${name}#image`,
    ) as DockerReference;
  } catch (cause) {
    throw noRegistry(text, cause);
  }
}

function isWebAddress(text: string): boolean {
  return /^https?:/i.test(text);
}

function noRegistry(text: string, cause?: unknown): DenrootError {
  const shown = text === "" ? "An empty text" : quoteText(text);
  return new DenrootError("usage", `${shown} names no registry`, {
    cause,
    hint: isWebAddress(text)
      ? `Name it without ${text.slice(0, text.indexOf(":"))}://, like nvcr.io or localhost:5000`
      : "Name a registry, like nvcr.io or localhost:5000, or an image in one, like docker://alpine",
  });
}
