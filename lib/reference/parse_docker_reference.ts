/** `docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]` and `docker://[USER@]REGISTRY/IMAGE…`. */

import { isIPv6 } from "node:net";
import type { DockerReference } from "../types.ts";
import { badReference, checkDigest, findDigest } from "./rules.ts";

const PREFIX = "docker://";
const USER_LIMIT = 1024;
const HOST_LIMIT = 253;
const REPOSITORY_LIMIT = 255;
const TAG_LIMIT = 128;

const DOCKER_HUB = "registry-1.docker.io";
const DOCKER_HUB_NAMES: ReadonlySet<string> = new Set([
  "docker.io",
  "index.docker.io",
  DOCKER_HUB,
]);

/**
 * Reads a `docker://` reference. `:sha256:…` is taken for a digest too, because enroot records
 * digests so.
 */
export function parseDockerReference(text: string): DockerReference {
  let end = text.length;
  let digest: string | undefined;
  const found = findDigest(text.slice(PREFIX.length), { colon: true });
  if (found !== undefined) {
    end = PREFIX.length + found.at;
    digest = checkDigest(text, end + 1, found.digest);
  }

  // The user may contain "@"; what follows may not.
  const at = text.lastIndexOf("@", end - 1);
  const user = at < PREFIX.length ? undefined : checkUser(text, PREFIX.length, at);
  const start = user === undefined ? PREFIX.length : at + 1;

  const hostEnd = findHostEnd(text, start, end);
  const host = hostEnd === undefined ? DOCKER_HUB : checkHost(text, start, hostEnd);
  const imageStart = hostEnd === undefined ? start : hostEnd + 1;

  const colon = text.indexOf(":", imageStart);
  const hasTag = colon >= 0 && colon < end;
  const imageEnd = hasTag ? colon : end;
  checkRepository(text, imageStart, imageEnd);
  const tag = hasTag ? checkTag(text, colon + 1, end) : undefined;

  const registry = DOCKER_HUB_NAMES.has(host) ? DOCKER_HUB : host;
  const image = text.slice(imageStart, imageEnd);
  return {
    scheme: "docker",
    ...(user !== undefined && { user }),
    registry,
    repository: registry === DOCKER_HUB && !image.includes("/") ? `library/${image}` : image,
    ...(tag !== undefined ? { tag } : digest === undefined && { tag: "latest" }),
    ...(digest !== undefined && { digest }),
  };
}

/** What an image's name on Docker Hub is shown as: without `library/`. */
export function familiarRepository(reference: DockerReference): string {
  return reference.registry === DOCKER_HUB && /^library\/[^/]+$/.test(reference.repository)
    ? reference.repository.slice("library/".length)
    : reference.repository;
}

/** Where the registry's host ends: at `#`, or at the first `/` behind what can only be a host. */
function findHostEnd(text: string, start: number, end: number): number | undefined {
  const hash = text.indexOf("#", start);
  if (hash >= 0 && hash < end) return hash;
  const slash = text.indexOf("/", start);
  if (slash < 0 || slash >= end) return undefined;
  const first = text.slice(start, slash);
  return /[.:]/.test(first) || first.toLowerCase() === "localhost" ? slash : undefined;
}

function checkUser(text: string, start: number, end: number): string {
  if (start === end) throw badReference(text, start, 'the user before "@" is empty');
  const user = text.slice(start, end);
  const wrong = user.search(/[^A-Za-z0-9_.!~*'()%;:&=+$,\-./<>?@]/);
  if (wrong >= 0) {
    throw badReference(
      text,
      start + wrong,
      "a user consists of letters, digits and _ . ! ~ * ' ( ) % ; : & = + $ , - / < > ? @",
    );
  }
  if (user.length > USER_LIMIT) {
    throw badReference(text, start + USER_LIMIT, `a user has at most ${USER_LIMIT} characters`);
  }
  return user;
}

function checkHost(text: string, start: number, end: number): string {
  const authority = text.slice(start, end);
  if (authority === "") throw badReference(text, start, "the registry is empty");
  if (authority.startsWith("[")) {
    const close = authority.indexOf("]");
    if (close < 0) throw badReference(text, end, 'an IPv6 address ends with "]"');
    if (!isIPv6(authority.slice(1, close)) || authority.includes("%")) {
      throw badReference(text, start + 1, "between [ and ] stands an IPv6 address");
    }
    checkPort(text, start + close + 1, end);
    return authority.toLowerCase();
  }
  const colon = authority.indexOf(":");
  if (colon >= 0 && isIPv6(authority)) {
    throw badReference(text, start, "an IPv6 address is written in brackets, as in [::1]:5000");
  }
  const name = colon < 0 ? authority : authority.slice(0, colon);
  const wrong = name.search(/[^A-Za-z0-9._-]/);
  if (wrong >= 0) {
    throw badReference(
      text,
      start + wrong,
      "a registry is a host name or address with an optional :PORT",
    );
  }
  const label = /(?:^|\.)(?=\.|$)|(?:^|\.)(?=-)|-(?=\.|$)/.exec(name);
  if (label !== null) {
    const position = start + label.index + (label[0] === "." ? 1 : 0);
    throw badReference(
      text,
      position,
      'the parts of a host name between "." are not empty and do not begin or end with "-"',
    );
  }
  if (name.length > HOST_LIMIT) {
    throw badReference(
      text,
      start + HOST_LIMIT,
      `a host name has at most ${HOST_LIMIT} characters`,
    );
  }
  if (colon >= 0) checkPort(text, start + colon, end);
  return authority.toLowerCase();
}

/** What follows a host: nothing, or `:PORT`. */
function checkPort(text: string, start: number, end: number): void {
  if (start === end) return;
  const port = text.slice(start, end);
  if (!/^:[0-9]{1,5}$/.test(port) || Number(port.slice(1)) < 1 || Number(port.slice(1)) > 65535) {
    const position = port.startsWith(":") ? start + 1 : start;
    throw badReference(text, position, "a registry's port is a number from 1 to 65535");
  }
}

/** distribution-spec: components of lower-case letters and digits, with single separators inside. */
function checkRepository(text: string, start: number, end: number): void {
  if (start === end) throw badReference(text, start, "the image's name is empty");
  const repository = text.slice(start, end);
  const wrong = repository.search(/[^a-z0-9._\-/]/);
  if (wrong >= 0) {
    const rule = /[A-Z]/.test(repository[wrong]!)
      ? "an image's name is in lower case"
      : "an image's name consists of a-z, 0-9, and . _ - / between them";
    throw badReference(text, start + wrong, rule);
  }
  let position = start;
  for (const component of repository.split("/")) {
    if (component === "") {
      throw badReference(text, position, 'no part of an image\'s name between "/" is empty');
    }
    const good = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*/.exec(component)?.[0].length ?? 0;
    if (good < component.length) {
      throw badReference(
        text,
        position + good,
        "between letters or digits of an image's name stands one of . _ __ or dashes",
      );
    }
    position += component.length + 1;
  }
  if (repository.length > REPOSITORY_LIMIT) {
    throw badReference(
      text,
      start + REPOSITORY_LIMIT,
      `an image's name has at most ${REPOSITORY_LIMIT} characters`,
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
