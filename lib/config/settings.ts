/** All settings with their defaults, from the environment and `enroot.conf`. */

import { cpuCount, environment } from "../system/host/environment.ts";
import { type LoadedValues, loadValues } from "./load_values.ts";
import { type SettingEntry, SettingReader } from "./setting_reader.ts";

export type { SettingEntry } from "./setting_reader.ts";

export interface Settings {
  readonly configPath: string;
  readonly cachePath: string;
  readonly dataPath: string;
  readonly runtimePath: string;
  readonly tempPath: string;
  readonly sysconfPath: string;
  /** Without effect: denroot decompresses by itself. */
  readonly gzipProgram: string;
  /** Without effect: blobs are cached as the registry stores them. */
  readonly zstdOptions: string;
  readonly squashOptions: string;
  /** At least 1. */
  readonly maxProcessors: number;
  /** At least 1. */
  readonly maxConnections: number;
  /** 0 for none. */
  readonly connectTimeoutMs: number;
  /** 0 for none. */
  readonly transferTimeoutMs: number;
  readonly transferRetries: number;
  readonly allowHttp: boolean;
  readonly forceOverride: boolean;
  /** Whether names without a registry are resolved as registries.conf says. */
  readonly shortNames: boolean;
  /** Seconds since 1970. */
  readonly sourceDateEpoch?: number;
  /** Limit of one image's uncompressed layers together. */
  readonly maxImageBytes: number;
  /** The mksquashfs to run; without it denroot's own, else the host's. */
  readonly mksquashfs?: string;
  /** The unsquashfs to run; without it denroot's own, else the host's. */
  readonly unsquashfs?: string;
  readonly tls: { readonly certFile?: string; readonly certDir?: string };
  readonly proxy: {
    readonly http?: string;
    readonly https?: string;
    readonly all?: string;
    readonly no: string;
  };
  /** The process's environment with the files' values in it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Every setting, for people. Passwords in URLs are left out. */
  readonly entries: readonly SettingEntry[];
}

export const DEFAULT_SQUASH_OPTIONS = "-comp lzo -Xalgorithm lzo1x_1";

/** Connections that "unlimited" stands for. */
const MANY_CONNECTIONS = 64;
/** Timers hold no more. */
const LONGEST_TIMEOUT_S = 2_000_000;
/** squashfs stores times as 32 bits. */
const LAST_SQUASHFS_TIME = 2 ** 32 - 1;

/**
 * Reads the settings: the environment wins over `enroot.conf`, that over `enroot.conf.d/*.conf`.
 *
 * Throws code `settings` with the setting, its value, its place and the rule.
 */
export async function loadSettings(
  env: Readonly<Record<string, string | undefined>> = environment(),
): Promise<Settings> {
  const loaded = await loadValues(env);
  const read = new SettingReader(loaded);
  const paths = readPaths(read, loaded);
  const packing = readPacking(read);
  const network = readNetwork(read);
  const rest = {
    forceOverride: read.flag("ENROOT_FORCE_OVERRIDE", false),
    maxImageBytes: read.bytes("DENROOT_MAX_IMAGE_BYTES", "1T", "uncompressed"),
  };
  rememberOthers(read, loaded);
  const merged: Record<string, string | undefined> = { ...env };
  for (const [name, { value }] of loaded.values) merged[name] = value;
  return {
    ...paths,
    ...packing,
    ...network,
    ...rest,
    environment: merged,
    entries: read.entries,
  };
}

/** Whether somebody set `name`: it does not have its default. */
export function isSet({ entries }: Pick<Settings, "entries">, name: string): boolean {
  return entries.some((entry) => entry.name === name && entry.origin !== "default");
}

function readPaths(read: SettingReader, loaded: LoadedValues) {
  const value = (name: string) => loaded.values.get(name)?.value;
  const home = value("HOME") ?? "";
  const runtimeDirectory = value("XDG_RUNTIME_DIR") ?? "/run";
  read.remember("ENROOT_SYSCONF_PATH", loaded.sysconfPath);
  return {
    sysconfPath: loaded.sysconfPath.value,
    configPath: read.path(
      "ENROOT_CONFIG_PATH",
      `${value("XDG_CONFIG_HOME") ?? `${home}/.config`}/enroot`,
    ),
    cachePath: read.path(
      "ENROOT_CACHE_PATH",
      `${value("XDG_CACHE_HOME") ?? `${home}/.cache`}/enroot`,
    ),
    tempPath: read.path(
      "ENROOT_TEMP_PATH",
      value("TMPDIR") ?? "/tmp",
      "no effect: nothing is unpacked on the way",
    ),
    dataPath: read.path(
      "ENROOT_DATA_PATH",
      `${value("XDG_DATA_HOME") ?? `${home}/.local/share`}/enroot`,
      "not used yet",
    ),
    runtimePath: read.path("ENROOT_RUNTIME_PATH", `${runtimeDirectory}/enroot`, "not used yet"),
  };
}

function readPacking(read: SettingReader) {
  const gzipProgram = read.text(
    "ENROOT_GZIP_PROGRAM",
    "gzip",
    "no effect: denroot decompresses by itself",
  );
  const zstdOptions = read.text(
    "ENROOT_ZSTD_OPTIONS",
    "-1",
    "no effect: layers are cached as the registry stores them",
  );
  const squashOptions = read.text("ENROOT_SQUASH_OPTIONS", DEFAULT_SQUASH_OPTIONS);
  const processors = read.integer("ENROOT_MAX_PROCESSORS", cpuCount(), { min: 0, max: 65_536 });
  const ownToolNote = "when not set denroot's own, else the one on PATH";
  const mksquashfs = read.text("DENROOT_MKSQUASHFS", undefined, ownToolNote);
  const unsquashfs = read.text("DENROOT_UNSQUASHFS", undefined, ownToolNote);
  const sourceDateEpoch = read.integer("SOURCE_DATE_EPOCH", undefined, {
    min: 0,
    max: LAST_SQUASHFS_TIME,
  });
  return {
    gzipProgram,
    zstdOptions,
    squashOptions,
    maxProcessors: processors === 0 ? cpuCount() : processors,
    ...(mksquashfs !== undefined && { mksquashfs }),
    ...(unsquashfs !== undefined && { unsquashfs }),
    ...(sourceDateEpoch !== undefined && { sourceDateEpoch }),
  };
}

function readNetwork(read: SettingReader) {
  const connections = read.integer("ENROOT_MAX_CONNECTIONS", 10, { min: 0, max: 1000 });
  const connectTimeout = read.seconds("ENROOT_CONNECT_TIMEOUT", 30, LONGEST_TIMEOUT_S);
  const transferTimeout = read.seconds("ENROOT_TRANSFER_TIMEOUT", 0, LONGEST_TIMEOUT_S);
  const transferRetries = read.integer(
    "ENROOT_TRANSFER_RETRIES",
    3,
    { min: 0, max: 1000 },
    "enroot's default is 0",
  );
  const allowHttp = read.flag("ENROOT_ALLOW_HTTP", false);
  const certFile = read.text("SSL_CERT_FILE");
  const certDir = read.text("SSL_CERT_DIR");
  const http = read.text(["http_proxy", "HTTP_PROXY"]);
  const https = read.text(["https_proxy", "HTTPS_PROXY"]);
  const all = read.text(["all_proxy", "ALL_PROXY"]);
  const no = read.text(["no_proxy", "NO_PROXY"], "");
  read.text("REGISTRY_AUTH_FILE");
  read.text(
    "CONTAINERS_REGISTRIES_CONF",
    undefined,
    "registries.conf(5) is looked for when not set",
  );
  read.text("CONTAINERS_REGISTRIES_CONF_OVERRIDE");
  const shortNames = read.flag("DENROOT_SHORT_NAMES", false, "no: Docker Hub");
  return {
    maxConnections: connections === 0 ? MANY_CONNECTIONS : connections,
    connectTimeoutMs: Math.ceil(connectTimeout * 1000),
    transferTimeoutMs: Math.ceil(transferTimeout * 1000),
    transferRetries,
    allowHttp,
    shortNames,
    tls: { ...(certFile !== undefined && { certFile }), ...(certDir !== undefined && { certDir }) },
    proxy: {
      ...(http !== undefined && { http }),
      ...(https !== undefined && { https }),
      ...(all !== undefined && { all }),
      no,
    },
  };
}

/** Other variables of enroot's that are set are shown as what they are: without effect. */
function rememberOthers(read: SettingReader, loaded: LoadedValues): void {
  const seen = new Set(read.entries.map((entry) => entry.name));
  seen.add("ENROOT_GZIP_PROG").add("ENROOT_SQUASH_OPTS");
  for (const name of [...loaded.values.keys()].sort()) {
    if (!name.startsWith("ENROOT_") || seen.has(name)) continue;
    read.remember(name, loaded.values.get(name)!, "no effect on an import");
  }
}
