/** The name of an image in Docker's form: `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`. */

import { isIPv6 } from "node:net";
import type { Digest } from "../types/image.ts";
import { DOCKER_HUB_NAME, DOCKER_HUB_SPELLINGS, dockerHubRepository } from "./docker_hub.ts";
import { badReference, checkDigest, findDigest } from "./rules.ts";

const HOST_LIMIT = 253;
const REPOSITORY_LIMIT = 255;
const TAG_LIMIT = 128;

/** The parts that the name has; no default is filled in. */
export interface ImageName {
  /** Host with an optional port. */
  readonly registry?: string | undefined;
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

/**
 * Reads the name in `text` from `start` up to `end`.
 *
 * Throws code `reference` with the position and the broken rule.
 */
export function parseImageName(text: string, start = 0, end = text.length): ImageName {
  const found = findDigest(text.slice(start, end));
  const digest = found && checkDigest(text, start + found.at + 1, found.digest);
  const versionEnd = found === undefined ? end : start + found.at;
  const slash = findRegistryEnd(text, start, versionEnd);
  const registry = slash === undefined ? undefined : checkHost(text, start, slash);
  const rest = slash === undefined ? start : slash + 1;
  return {
    ...(registry !== undefined && { registry }),
    ...parseRepositoryAndTag(text, rest, versionEnd),
    ...(digest !== undefined && { digest }),
  };
}

/** Reads `REPOSITORY[:TAG]`, the part of a name after its registry. */
export function parseRepositoryAndTag(
  text: string,
  start: number,
  end: number,
): { readonly repository: string; readonly tag?: string | undefined } {
  const colon = text.indexOf(":", start);
  const hasTag = colon >= 0 && colon < end;
  const repositoryEnd = hasTag ? colon : end;
  checkRepository(text, start, repositoryEnd);
  const repository = text.slice(start, repositoryEnd);
  return hasTag ? { repository, tag: checkTag(text, colon + 1, end) } : { repository };
}

/** The end of the registry: the first `/`, if the part before it can only be a host. */
export function findRegistryEnd(text: string, start: number, end: number): number | undefined {
  const slash = text.indexOf("/", start);
  if (slash < 0 || slash >= end) return undefined;
  const first = text.slice(start, slash);
  return /[.:]/.test(first) || first.toLowerCase() === "localhost" ? slash : undefined;
}

/**
 * The full name, which is the same for all spellings of an image: `alpine`, `docker.io/alpine` and
 * `index.docker.io/library/alpine:latest` give `docker.io/library/alpine:latest`.
 */
export function fullName({ registry, repository, tag, digest }: ImageName): string {
  const isHub = registry === undefined || DOCKER_HUB_SPELLINGS.includes(registry);
  const host = isHub ? DOCKER_HUB_NAME : registry;
  const path = isHub ? dockerHubRepository(repository) : repository;
  return `${host}/${path}${versionOf({ tag, digest })}`;
}

/** `:TAG`, `@DIGEST` or both; `:latest` where the name has neither. */
export function versionOf({ tag, digest }: Pick<ImageName, "tag" | "digest">): string {
  if (tag === undefined && digest === undefined) return ":latest";
  return `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** A host name or address with an optional port. */
export function checkHost(text: string, start: number, end: number): string {
  const authority = text.slice(start, end);
  if (authority === "") throw badReference(text, start, "the registry is empty");
  if (authority.startsWith("[")) {
    checkIPv6(text, start, end);
    return authority;
  }
  const colon = authority.indexOf(":");
  if (colon >= 0 && isIPv6(authority)) {
    throw badReference(text, start, "an IPv6 address needs brackets, as in [::1]:5000");
  }
  checkHostName(text, start, colon < 0 ? end : start + colon);
  if (colon >= 0) checkPort(text, start + colon, end);
  return authority;
}

function checkIPv6(text: string, start: number, end: number): void {
  const authority = text.slice(start, end);
  const close = authority.indexOf("]");
  if (close < 0) throw badReference(text, end, 'an IPv6 address ends with "]"');
  if (!isIPv6(authority.slice(1, close)) || authority.includes("%")) {
    throw badReference(text, start + 1, "the text in brackets is not an IPv6 address");
  }
  checkPort(text, start + close + 1, end);
}

function checkHostName(text: string, start: number, end: number): void {
  const name = text.slice(start, end);
  const wrong = name.search(/[^A-Za-z0-9._-]/);
  if (wrong >= 0) {
    throw badReference(
      text,
      start + wrong,
      "a registry is a host name or an address with an optional :PORT",
    );
  }
  const label = /(?:^|\.)(?=\.|$)|(?:^|\.)(?=-)|-(?=\.|$)/.exec(name);
  if (label !== null) {
    throw badReference(
      text,
      start + label.index + (label[0] === "." ? 1 : 0),
      'the parts of a host name are not empty and do not begin or end with "-"',
    );
  }
  if (name.length > HOST_LIMIT) {
    throw badReference(
      text,
      start + HOST_LIMIT,
      `a host name has at most ${HOST_LIMIT} characters`,
    );
  }
}

/** After a host comes nothing or `:PORT`. */
function checkPort(text: string, start: number, end: number): void {
  if (start === end) return;
  const port = text.slice(start, end);
  if (!/^:[0-9]{1,5}$/.test(port) || Number(port.slice(1)) < 1 || Number(port.slice(1)) > 65535) {
    const position = port.startsWith(":") ? start + 1 : start;
    throw badReference(text, position, "the port of a registry is a number from 1 to 65535");
  }
}

/** distribution-spec: components have lower-case letters and digits, with single separators inside. */
function checkRepository(text: string, start: number, end: number): void {
  if (start === end) throw badReference(text, start, "the image name is empty");
  const repository = text.slice(start, end);
  const wrong = repository.search(/[^a-z0-9._\-/]/);
  if (wrong >= 0) {
    const rule = /[A-Z]/.test(repository[wrong]!)
      ? "an image name has no capital letters"
      : "an image name consists of a-z and 0-9, with . _ - / between them";
    throw badReference(text, start + wrong, rule);
  }
  let position = start;
  for (const component of repository.split("/")) {
    if (component === "") {
      throw badReference(text, position, 'an image name has no empty part before or after "/"');
    }
    const good = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*/.exec(component)?.[0].length ?? 0;
    if (good < component.length) {
      throw badReference(
        text,
        position + good,
        "an image name has one of . _ __ or dashes between letters or digits, and nowhere else",
      );
    }
    position += component.length + 1;
  }
  if (repository.length > REPOSITORY_LIMIT) {
    throw badReference(
      text,
      start + REPOSITORY_LIMIT,
      `an image name has at most ${REPOSITORY_LIMIT} characters`,
    );
  }
}

function checkTag(text: string, start: number, end: number): string {
  if (start === end) throw badReference(text, start, 'the tag after ":" is empty');
  const tag = text.slice(start, end);
  const wrong = tag.search(/[^A-Za-z0-9_.-]/);
  if (wrong >= 0) {
    throw badReference(text, start + wrong, "a tag consists of letters, digits and . _ -");
  }
  if (/^[.-]/.test(tag)) {
    throw badReference(text, start, "a tag begins with a letter, a digit or _");
  }
  if (tag.length > TAG_LIMIT) {
    throw badReference(text, start + TAG_LIMIT, `a tag has at most ${TAG_LIMIT} characters`);
  }
  return tag;
}
