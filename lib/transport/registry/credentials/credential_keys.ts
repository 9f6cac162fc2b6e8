/** The names under which a registry's credentials are kept. */

import { DOCKER_HUB_CREDENTIAL_HOSTS, DOCKER_HUB_SERVER } from "../../../reference/docker_hub.ts";
import type { CredentialsQuery } from "./credentials.ts";

/**
 * All names of the registry, then those of its token service. A login of docker's or podman's is for
 * one port, as they see it; a netrc's machine is for all ports of a host, as for curl.
 */
export function hostsOf(
  { registry, realmHost }: CredentialsQuery,
  { isPortOptional = false } = {},
): readonly string[] {
  const hosts = [registry, realmHost ?? ""].filter((host) => host !== "").flatMap((host) => {
    const name = host.toLowerCase();
    const names = isPortOptional ? [name, name.replace(/:\d+$/, "")] : [name];
    const isHub = names.some((name) => DOCKER_HUB_CREDENTIAL_HOSTS.includes(name));
    return isHub ? [...names, ...DOCKER_HUB_CREDENTIAL_HOSTS] : names;
  });
  return [...new Set(hosts)];
}

/** What docker calls the host when it talks to its helpers. */
export function serverOf(host: string): string {
  return DOCKER_HUB_CREDENTIAL_HOSTS.includes(host) ? DOCKER_HUB_SERVER : host;
}

/** `host/a/b`, `host/a`, `host`: the longest key that exists counts. */
export function* keysOf(host: string, repository: string): Generator<string> {
  const parts = repository.split("/").slice(0, 32);
  for (let count = parts.length; count > 0; count--) {
    yield [host, ...parts.slice(0, count)].join("/");
  }
  yield host;
}
