/** What the manual says of all commands together: settings, files, exit codes. */

export interface EnvironmentRow {
  readonly name: string;
  readonly meaning: string;
  /** The commands that heed it. */
  readonly commands: readonly string[];
}

const FETCHING = ["import", "inspect", "digest", "tags", "doctor"];
const CACHED = ["import", "inspect", "tags", "doctor"];
const IMPORT = ["import", "doctor"];

/** Every setting that `info` shows. */
export const ENVIRONMENT: readonly EnvironmentRow[] = [
  row("ENROOT_SYSCONF_PATH", [...FETCHING, "info"], "Where enroot.conf is. Default: /etc/enroot."),
  row(
    "ENROOT_CONFIG_PATH",
    FETCHING,
    "Where .credentials is. Default: $XDG_CONFIG_HOME/enroot.",
  ),
  row(
    "ENROOT_CACHE_PATH",
    CACHED,
    "Where layers are kept. May be shared, also over a network. Default: $XDG_CACHE_HOME/enroot.",
  ),
  row("ENROOT_DATA_PATH", ["doctor"], "Where enroot keeps containers."),
  row("ENROOT_RUNTIME_PATH", ["doctor"], "Where enroot keeps what running containers need."),
  row("ENROOT_TEMP_PATH", ["doctor"], "No effect on an import: nothing is unpacked on the way."),
  row(
    "ENROOT_SQUASH_OPTIONS",
    [...IMPORT, "inspect"],
    "Options for mksquashfs. Default: -comp lzo -Xalgorithm lzo1x_1.",
  ),
  row(
    "ENROOT_MAX_PROCESSORS",
    IMPORT,
    "Bound of mksquashfs and of denroot's workers, 0 for all that the process may use: the default.",
  ),
  row(
    "ENROOT_MAX_CONNECTIONS",
    IMPORT,
    "Connections at once, 0 for as many as are useful. Default: 10.",
  ),
  row(
    "ENROOT_CONNECT_TIMEOUT",
    FETCHING,
    "Seconds to wait for a connection, 0 for ever. Default: 30.",
  ),
  row(
    "ENROOT_TRANSFER_TIMEOUT",
    FETCHING,
    "Seconds that one transfer may take, 0 for ever: the default.",
  ),
  row(
    "ENROOT_TRANSFER_RETRIES",
    FETCHING,
    "How often a failed transfer is tried again. Default: 3.",
  ),
  row("ENROOT_ALLOW_HTTP", FETCHING, "Plain HTTP instead of HTTPS. Default: no."),
  row("ENROOT_FORCE_OVERRIDE", ["import"], "As if --force were always given. Default: no."),
  row("ENROOT_GZIP_PROGRAM", [], "No effect: denroot decompresses by itself."),
  row("ENROOT_ZSTD_OPTIONS", [], "No effect: layers are cached as the registry stores them."),
  row("DENROOT_MKSQUASHFS", IMPORT, "The mksquashfs to run."),
  row(
    "DENROOT_UNSQUASHFS",
    IMPORT,
    "The unsquashfs to run, for --verify.",
  ),
  row(
    "DENROOT_MAX_IMAGE_BYTES",
    ["import"],
    "Bound of an image's uncompressed layers, with K, M, G or T. Default: 1T.",
  ),
  row(
    "SOURCE_DATE_EPOCH",
    ["import"],
    "The time, in seconds since 1970, of every file in the image.",
  ),
  row(
    "SSL_CERT_FILE",
    FETCHING,
    "A file with further certificate authorities, beside the system's.",
  ),
  row("SSL_CERT_DIR", FETCHING, "Directories with further certificate authorities."),
  row("http_proxy", FETCHING, "The proxy for plain HTTP."),
  row("https_proxy", FETCHING, "The proxy for HTTPS."),
  row("all_proxy", FETCHING, "The proxy where neither of these two is set."),
  row("no_proxy", FETCHING, "Hosts that are reached without a proxy, as curl reads it."),
  row(
    "REGISTRY_AUTH_FILE",
    FETCHING,
    "A file with credentials, as podman login and docker login write it.",
  ),
  row(
    "CONTAINERS_REGISTRIES_CONF",
    FETCHING,
    "The registries.conf to read, in place of the user's or the system's.",
  ),
  row(
    "CONTAINERS_REGISTRIES_CONF_OVERRIDE",
    FETCHING,
    "A registries.conf that is read last, and wins.",
  ),
  row(
    "DENROOT_SHORT_NAMES",
    FETCHING,
    "Names without a registry are looked up as registries.conf says. Default: no, Docker Hub.",
  ),
  row("NO_COLOR", [...FETCHING, "info"], "Turns colours off."),
  row("DENROOT_DEBUG", [...FETCHING, "info"], "As if --debug were always given."),
];

export const FILES: ReadonlyArray<readonly [path: string, meaning: string]> = [
  [
    "/etc/enroot/enroot.conf",
    "Settings, as lines of NAME VALUE. The files in enroot.conf.d beside it are read too.",
  ],
  [
    "~/.config/enroot/.credentials",
    "User names and passwords of registries, in the form of netrc. It is private: chmod 600.",
  ],
  [
    "~/.config/containers/auth.json",
    "What podman login writes; read when .credentials has nothing for a registry.",
  ],
  ["~/.docker/config.json", "What docker login writes; read likewise."],
  [
    "/etc/containers/registries.conf",
    "Mirrors, insecure and blocked registries, and short names. One in ~/.config/containers wins.",
  ],
  [
    "~/.config/containers/certs.d",
    "Certificates for single registries: HOST:PORT/ca.crt, client.cert and client.key.",
  ],
  ["~/.cache/enroot", "Layers that were fetched. It may be removed at any time."],
];

export const EXIT_CODES: ReadonlyArray<readonly [code: string, meaning: string]> = [
  ["0", "It is done."],
  ["1", "It failed. Standard error says what, and what to do about it."],
  ["2", "The command line is wrong."],
  ["128+n", "Signal n stopped it."],
];

function row(name: string, commands: readonly string[], meaning: string): EnvironmentRow {
  return { name, commands, meaning };
}
