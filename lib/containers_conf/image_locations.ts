/** Finds where an image may be fetched from, by its name and registries.conf. No input or output. */

import { DenrootError } from "../errors.ts";
import {
  DOCKER_HUB_HOST,
  dockerHubRepository,
  familiarHost,
  isDockerHub,
} from "../reference/docker_hub.ts";
import type { DockerReference } from "../types/reference.ts";
import { hidePassword } from "../text/redact.ts";
import type { RegistriesConf } from "./registries_conf.ts";
import type { RegistryRule } from "./registries_file.ts";

/** A repository in a registry that has, or may have, the image. */
export interface ImageLocation {
  /** Host with an optional port; Docker Hub as `registry-1.docker.io`. */
  readonly registry: string;
  readonly repository: string;
  /** Plain HTTP and certificates of unknown authorities are accepted. */
  readonly insecure: boolean;
  /** A mirror, and not the image's own registry. */
  readonly isMirror: boolean;
  /** The line of the configuration that forbids this location. */
  readonly blockedBy?: string;
}

/**
 * The locations in the order in which they are tried: the mirrors that serve such a reference, then
 * the image's own location. Without a rule for the name this is the reference's own registry.
 *
 * Throws code `settings` when all are blocked, or when a configured location makes no sense.
 */
export function imageLocations(
  reference: DockerReference,
  conf: RegistriesConf,
): readonly ImageLocation[] {
  const { registry, repository } = reference;
  const name = `${familiarHost(registry)}/${repository}`;
  const forbidding = findBlockedImage(name, reference, conf);
  if (forbidding !== undefined) throw blocked(name, forbidding);
  const rule = findRule(name, conf);
  if (rule === undefined) return [{ registry, repository, insecure: false, isMirror: false }];
  const unfit = reference.digest === undefined ? "digest-only" : "tag-only";
  const mirrors = rule.mirrors
    .filter(({ pulls }) => pulls !== unfit)
    .map((mirror) => toLocation(name, { ...rule, ...mirror }, reference, conf, true));
  const own = toLocation(name, rule, reference, conf, false);
  const locations = [...mirrors, rule.blocked ? { ...own, blockedBy: rule.origin } : own];
  if (locations.every(({ blockedBy }) => blockedBy !== undefined)) throw blocked(name, rule);
  return locations;
}

/**
 * The location that an image is written to: always the reference's own registry. Mirrors and other
 * locations are for reading, as in containers/image. Throws code `settings` when it is blocked.
 */
export function writeLocation(reference: DockerReference, conf: RegistriesConf): ImageLocation {
  const { registry, repository } = reference;
  const name = `${familiarHost(registry)}/${repository}`;
  const rule = findRule(name, conf);
  const forbidding = findBlockedImage(name, reference, conf) ?? (rule?.blocked ? rule : undefined);
  if (forbidding !== undefined) throw blocked(name, forbidding);
  return { registry, repository, insecure: rule?.insecure ?? false, isMirror: false };
}

/** The location's name as people write it: `docker.io/library/alpine`. */
export function locationName({ registry, repository }: ImageLocation): string {
  return `${familiarHost(registry)}/${repository}`;
}

/**
 * The location of a registry as a whole, without its mirrors and without a repository; rules for parts
 * of it do not count. Throws code `settings` when it is blocked, or when its location makes no sense.
 */
export function registryLocation(registry: string, conf: RegistriesConf): ImageLocation {
  const name = familiarHost(registry);
  const rule = findRule(name, conf);
  if (rule === undefined) return { registry, repository: "", insecure: false, isMirror: false };
  const [host] = splitName(rule.location === "" ? name : rule.location);
  const forbidding = [rule, findRule(host, conf)].find((one) => one?.blocked);
  if (forbidding !== undefined) throw blocked(name, forbidding);
  if (!HOST.test(host)) throw notRegistry(rule);
  return {
    registry: isDockerHub(host) ? DOCKER_HUB_HOST : host,
    repository: "",
    insecure: rule.insecure,
    isMirror: false,
  };
}

/** The rule with the longest prefix. */
function findRule(name: string, conf: RegistriesConf): RegistryRule | undefined {
  return conf.rules
    .filter(({ prefix }) => matchedLength(name, prefix) !== undefined)
    .reduce<RegistryRule | undefined>(
      (best, rule) => best !== undefined && best.prefix.length >= rule.prefix.length ? best : rule,
      undefined,
    );
}

/**
 * The rule that blocks exactly this tag or digest. containers/image ignores a rule with such a
 * prefix. denroot heeds it when it blocks, because its author relies on that. A digest is known only
 * when the reference has it.
 */
function findBlockedImage(
  name: string,
  { tag, digest }: DockerReference,
  conf: RegistriesConf,
): RegistryRule | undefined {
  const tags = tag === undefined ? [] : [`:${tag}`];
  const digests = digest === undefined ? [] : ["", ...tags].map((tag) => `${tag}@${digest}`);
  const images = [...tags, ...digests].map((version) => name + version);
  return conf.rules.find(({ blocked, prefix }) => blocked && images.includes(prefix));
}

/** How many characters of `name` the prefix stands for; undefined when `name` does not begin so. */
function matchedLength(name: string, prefix: string): number | undefined {
  if (prefix.startsWith("*.")) {
    const host = /^[^/:]*/.exec(name)![0];
    return host.endsWith(prefix.slice(1)) ? host.length : undefined;
  }
  if (!name.startsWith(prefix)) return undefined;
  // Also before a port: "localhost" is a prefix of "localhost:5000/app", as in containers/image.
  return /^(?:$|[/:])/.test(name.slice(prefix.length)) ? prefix.length : undefined;
}

function toLocation(
  name: string,
  { prefix, location, insecure, origin }: RegistryRule,
  reference: DockerReference,
  conf: RegistriesConf,
  isMirror: boolean,
): ImageLocation {
  const text = location === "" ? name : location + name.slice(matchedLength(name, prefix));
  const [host, path] = splitName(text);
  if (!HOST.test(host) || !/[.:]|^localhost$/.test(host) || !REPOSITORY.test(path)) {
    throw new DenrootError(
      "settings",
      `${origin}: the location ${JSON.stringify(hidePassword(location))} makes ${
        JSON.stringify(hidePassword(text))
      } of ${name}, which is not REGISTRY/IMAGE`,
    );
  }
  const isHub = isDockerHub(host);
  const registry = isHub ? DOCKER_HUB_HOST : host;
  const repository = isHub ? dockerHubRepository(path) : path;
  // A rule may block the location under its own name, whichever rule leads there.
  const ownName = locationName({ registry, repository, insecure, isMirror });
  const own = findBlockedImage(ownName, reference, conf) ?? findRule(ownName, conf);
  return {
    registry,
    repository,
    insecure,
    isMirror,
    ...(own?.blocked && { blockedBy: own.origin }),
  };
}

/** The host in lower case, and what follows it: nothing where there is no `/`. */
function splitName(name: string): [host: string, path: string] {
  const end = name.indexOf("/") < 0 ? name.length : name.indexOf("/");
  return [name.slice(0, end).toLowerCase(), name.slice(end + 1)];
}

const HOST = /^(?:[a-z0-9][a-z0-9._-]*|\[[0-9a-f:]+\])(?::\d{1,5})?$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|__?|-+|\/)[a-z0-9]+)*$/;

function blocked(name: string, rule: RegistryRule): DenrootError {
  return new DenrootError(
    "settings",
    `${name} is blocked by the configuration: prefix ${
      JSON.stringify(rule.prefix)
    } in ${rule.origin}`,
  );
}

function notRegistry({ location, origin }: RegistryRule): DenrootError {
  const shown = JSON.stringify(hidePassword(location));
  return new DenrootError("settings", `${origin}: the location ${shown} names no registry`);
}
