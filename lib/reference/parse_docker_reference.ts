/** `docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]`, and `docker://[USER@]REGISTRY/IMAGE…`. */

import type { DockerReference } from "../types/reference.ts";
import { DOCKER_HUB_HOST, dockerHubRepository, isDockerHub } from "./docker_hub.ts";
import { checkHost, findRegistryEnd, parseRepositoryAndTag } from "./image_name.ts";
import { badReference, checkDigest, findDigest } from "./rules.ts";

const PREFIX = "docker://";
const USER_LIMIT = 1024;

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
  const host = hostEnd === undefined
    ? DOCKER_HUB_HOST
    : checkHost(text, start, hostEnd).toLowerCase();
  const imageStart = hostEnd === undefined ? start : hostEnd + 1;
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

/** What an image's name on Docker Hub is shown as: without `library/`. */
export function familiarRepository(reference: DockerReference): string {
  return reference.registry === DOCKER_HUB_HOST && /^library\/[^/]+$/.test(reference.repository)
    ? reference.repository.slice("library/".length)
    : reference.repository;
}

/** Where the registry's host ends: at `#`, as enroot writes it, or as Docker does. */
function findHostEnd(text: string, start: number, end: number): number | undefined {
  const hash = text.indexOf("#", start);
  return hash >= 0 && hash < end ? hash : findRegistryEnd(text, start, end);
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
