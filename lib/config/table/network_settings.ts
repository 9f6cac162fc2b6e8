/** Settings for the network and for registries. */

import { FETCHING, type SettingDefinition } from "./setting_definition.ts";

/** Timers hold no more than 2^31 milliseconds. */
const LONGEST_TIMEOUT_S = 2_000_000;

export const NETWORK_SETTINGS = {
  ENROOT_MAX_CONNECTIONS: {
    kind: "integer",
    min: 0,
    max: 1000,
    meaning: "denroot opens at most this many connections at once. " +
      "0 stands for as many as are useful.",
    commands: FETCHING,
    default: "10",
  },
  ENROOT_CONNECT_TIMEOUT: {
    kind: "seconds",
    max: LONGEST_TIMEOUT_S,
    meaning: "denroot waits this many seconds for a connection. 0 stands for no limit.",
    commands: FETCHING,
    default: "30",
  },
  ENROOT_TRANSFER_TIMEOUT: {
    kind: "seconds",
    max: LONGEST_TIMEOUT_S,
    meaning: "One transfer may take this many seconds. 0 stands for no limit.",
    commands: FETCHING,
    default: "0",
  },
  ENROOT_TRANSFER_RETRIES: {
    kind: "integer",
    min: 0,
    max: 1000,
    meaning: "denroot tries a failed transfer this many times again.",
    commands: FETCHING,
    default: "3",
    note: "enroot's default is 0",
  },
  ENROOT_ALLOW_HTTP: {
    kind: "flag",
    meaning: "denroot uses plain HTTP instead of HTTPS.",
    commands: FETCHING,
    default: "no",
  },
  SSL_CERT_FILE: {
    kind: "text",
    meaning: "This file holds further certificate authorities, beside the system's.",
    commands: FETCHING,
  },
  SSL_CERT_DIR: {
    kind: "text",
    meaning: "These directories, with colons between them, hold further certificate authorities.",
    commands: FETCHING,
  },
  CURL_CA_BUNDLE: {
    kind: "text",
    meaning: "This file takes the place of SSL_CERT_FILE and SSL_CERT_DIR, as for curl.",
    commands: FETCHING,
  },
  http_proxy: {
    kind: "text",
    meaning: "Plain HTTP goes through this proxy.",
    commands: FETCHING,
    otherName: "HTTP_PROXY",
  },
  https_proxy: {
    kind: "text",
    meaning: "HTTPS goes through this proxy.",
    commands: FETCHING,
    otherName: "HTTPS_PROXY",
  },
  all_proxy: {
    kind: "text",
    meaning: "Everything without a proxy of its own goes through this proxy.",
    commands: FETCHING,
    otherName: "ALL_PROXY",
  },
  no_proxy: {
    kind: "text",
    meaning: "denroot reaches these hosts without a proxy. It reads the list as curl does.",
    commands: FETCHING,
    default: "",
    otherName: "NO_PROXY",
  },
  REGISTRY_AUTH_FILE: {
    kind: "text",
    meaning: "This file holds credentials, as podman login and docker login write them.",
    commands: FETCHING,
  },
  CONTAINERS_REGISTRIES_CONF: {
    kind: "text",
    meaning: "denroot reads this registries.conf and no other.",
    commands: FETCHING,
    unset: "the user's registries.conf, else the system's",
  },
  CONTAINERS_REGISTRIES_CONF_OVERRIDE: {
    kind: "text",
    meaning: "denroot reads this registries.conf last, so that it wins.",
    commands: FETCHING,
  },
  DENROOT_SHORT_NAMES: {
    kind: "flag",
    meaning: "denroot looks up names without a registry in registries.conf. " +
      "With no, such names are Docker Hub's.",
    commands: FETCHING,
    default: "no",
    note: "no: Docker Hub",
  },
} as const satisfies Readonly<Record<string, SettingDefinition>>;
