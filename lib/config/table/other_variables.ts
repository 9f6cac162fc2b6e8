/** Environment variables that denroot reads, and that enroot.conf cannot set. */

import { FETCHING, type VariableFacts } from "./setting_definition.ts";

/** In the order in which people see them. */
export const OTHER_VARIABLES: Readonly<Record<string, VariableFacts>> = {
  DOCKER_HOST: {
    meaning: "denroot reaches the Docker daemon here. It reads DOCKER_CONTEXT, DOCKER_CONFIG, " +
      "DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH too, as docker does.",
    commands: FETCHING,
  },
  CONTAINER_HOST: {
    meaning: "denroot reaches podman's service here, as podman --remote does.",
    commands: FETCHING,
  },
  CONTAINERS_STORAGE_CONF: {
    meaning: "This storage.conf says where podman's files are. denroot reads STORAGE_DRIVER and " +
      "STORAGE_OPTS too, as podman does.",
    commands: FETCHING,
  },
  NO_COLOR: {
    meaning: "denroot prints no colours.",
    commands: [...FETCHING, "cache", "info"],
  },
  DENROOT_DEBUG: {
    meaning: "denroot shows the stack of an error and its causes, as with --debug.",
    commands: [...FETCHING, "cache", "info"],
  },
};
