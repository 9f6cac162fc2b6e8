/** `docker://[USER@]REGISTRY[:PORT]`: a registry alone, whose repositories can be listed. */

import { DOCKER_HUB_HOST, isDockerHub } from "./docker_hub.ts";
import { checkHost } from "./image_name.ts";
import { refuseControlCharacters, refusePassword } from "./rules.ts";

export interface RegistryName {
  /** A host with an optional port. Docker Hub is always `registry-1.docker.io`. */
  readonly registry: string;
  readonly user?: string | undefined;
}

const PREFIX = "docker://";
/** What Docker reads as an image of Docker Hub, with the port as its tag. No image is called so. */
const HOST_ALONE = /^(?:[^/:#[\]]*\.[^/:#]*|localhost|\[[^\]]*\])(?::\d+)?$/i;

/**
 * Reads the name of a registry alone; undefined for any other text. At the end may be `/` or `#`, and
 * must be where the host is one word without a port. Throws code `reference` for a host that breaks
 * a rule.
 */
export function parseRegistryName(text: string): RegistryName | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const at = text.lastIndexOf("@");
  const start = at < 0 ? PREFIX.length : at + 1;
  const isMarked = /[/#]$/.test(text);
  const end = text.length - (isMarked ? 1 : 0);
  const host = text.slice(start, end);
  if (isMarked ? /^$|[/#]/.test(host) : !HOST_ALONE.test(host)) return undefined;
  refusePassword(text);
  refuseControlCharacters(text);
  const name = checkHost(text, start, end).toLowerCase();
  const user = text.slice(PREFIX.length, at);
  return {
    registry: isDockerHub(name) ? DOCKER_HUB_HOST : name,
    ...(at > PREFIX.length && { user }),
  };
}
