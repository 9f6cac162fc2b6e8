/** Docker Hub: one registry that people, files and servers know by several names. */

/** The host that serves Docker Hub's images; what references and requests name. */
export const DOCKER_HUB_HOST = "registry-1.docker.io";

/** What people and configuration files call it. */
export const DOCKER_HUB_NAME = "docker.io";

/** The names that Docker and podman take for it in an image's name. */
export const DOCKER_HUB_SPELLINGS: readonly string[] = [DOCKER_HUB_NAME, "index.docker.io"];

/** The hosts that credentials for Docker Hub are kept under; the last is its token service. */
export const DOCKER_HUB_CREDENTIAL_HOSTS: readonly string[] = [
  DOCKER_HUB_HOST,
  ...DOCKER_HUB_SPELLINGS,
  "auth.docker.io",
];

/** What docker calls the registry when it talks to credential helpers. */
export const DOCKER_HUB_SERVER = "https://index.docker.io/v1/";

/** Whether a registry's host, in lower case, is Docker Hub by any of its names. */
export function isDockerHub(host: string): boolean {
  return host === DOCKER_HUB_HOST || DOCKER_HUB_SPELLINGS.includes(host);
}

/** A registry's host as people write it: `docker.io` for Docker Hub. */
export function familiarHost(host: string): string {
  return host === DOCKER_HUB_HOST ? DOCKER_HUB_NAME : host;
}

/** A repository on Docker Hub: one without a namespace belongs to `library`. */
export function dockerHubRepository(repository: string): string {
  return repository.includes("/") ? repository : `library/${repository}`;
}
