/** `docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]`, and `docker://[USER@]REGISTRY/IMAGE…`. */

import type { DockerReference } from "../types/reference.ts";
import { withVersion } from "./base_name.ts";
import { DOCKER_HUB_HOST, dockerHubRepository, isDockerHub } from "./docker_hub.ts";
import { checkHost, findRegistryEnd, parseRepositoryAndTag } from "./image_name.ts";
import { badReference, checkDigest, findDigest, formatVersion } from "./rules.ts";
import type { SchemeRules } from "./scheme_rules.ts";

const USER_LIMIT = 1024;

export const dockerScheme: SchemeRules<DockerReference> = {
  parse,
  format: (reference) => `${reference.registry}#${reference.repository}${formatVersion(reference)}`,
  baseName: (reference) =>
    withVersion(familiarRepository(reference), reference.digest ?? reference.tag),
};

/** `:sha256:…` counts as a digest too, because enroot records digests in this form. */
function parse(text: string, start: number): DockerReference {
  let end = text.length;
  let digest: string | undefined;
  const found = findDigest(text.slice(start), { colon: true });
  if (found !== undefined) {
    end = start + found.at;
    digest = checkDigest(text, end + 1, found.digest);
  }

  // The user may contain "@"; the rest may not.
  const at = text.lastIndexOf("@", end - 1);
  const user = at < start ? undefined : checkUser(text, start, at);
  const hostStart = user === undefined ? start : at + 1;

  const hostEnd = findHostEnd(text, hostStart, end);
  const host = hostEnd === undefined
    ? DOCKER_HUB_HOST
    : checkHost(text, hostStart, hostEnd).toLowerCase();
  const imageStart = hostEnd === undefined ? hostStart : hostEnd + 1;
  if (user !== undefined && hostEnd === undefined) refuseVersion(text, start, at, end);
  const { repository, tag } = parseRepositoryAndTag(text, imageStart, end);
  const isHub = isDockerHub(host);
  return {
    scheme: "docker",
    ...(user !== undefined && { user }),
    registry: isHub ? DOCKER_HUB_HOST : host,
    repository: isHub ? dockerHubRepository(repository) : repository,
    ...(hostEnd === undefined && user === undefined && { shortName: repository }),
    ...(tag !== undefined ? { tag } : digest === undefined && { tag: "latest" }),
    ...(digest !== undefined && { digest }),
  };
}

/** The repository as people know it: without `library/` on Docker Hub. */
function familiarRepository(reference: DockerReference): string {
  return reference.registry === DOCKER_HUB_HOST && /^library\/[^/]+$/.test(reference.repository)
    ? reference.repository.slice("library/".length)
    : reference.repository;
}

/** Where the registry's host ends: at `#` in enroot's form, at `/` in Docker's. */
function findHostEnd(text: string, start: number, end: number): number | undefined {
  const hash = text.indexOf("#", start);
  return hash >= 0 && hash < end ? hash : findRegistryEnd(text, start, end);
}

/**
 * Behind `@` stands an image of Docker Hub, and before it a user. What nobody calls an image there was
 * meant as a tag, or as a digest.
 */
function refuseVersion(text: string, start: number, at: number, end: number): void {
  const version = text.slice(at + 1, end);
  const isDigest = /^(?:sha|md5|blake)[\w-]*:|^[0-9a-f]{64}$/i.test(version);
  if (!isDigest && !/^(?:v?\d[\w.-]*|latest)$/i.test(version)) return;
  const name = text.slice(start, at);
  throw badReference(
    text,
    at,
    'what stands before "@" is a user, and a tag follows ":"',
    isDigest
      ? `For a digest write docker://${name}@sha256: and 64 lower-case hexadecimal digits`
      : `For a tag write docker://${name}:${version}`,
  );
}

function checkUser(text: string, start: number, end: number): string {
  if (start === end) throw badReference(text, start, 'the user before "@" is empty');
  const user = text.slice(start, end);
  const wrong = user.search(/[^A-Za-z0-9_.!~*'()%;:&=+$,\-./<>?@]/);
  if (wrong >= 0) {
    if (text[start + wrong] === "#") refuseVersion(text, start, end, text.length);
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
