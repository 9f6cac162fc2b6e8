/** The settings as typed fields, from the environment and `enroot.conf`. */

import { cpuCount, environment } from "../system/host/environment.ts";
import { requireUtf8Variables } from "../system/host/utf8_surroundings.ts";
import type { ImageMounts } from "../types/container.ts";
import { type LoadedValues, loadValues, type SettingLines } from "./load_values.ts";
import { readSettings, type SettingEntry, withoutPassword } from "./read_settings.ts";
import { ALL_SETTINGS } from "./table/setting_table.ts";

export interface Settings {
  readonly configPath: string;
  readonly cachePath: string;
  readonly dataPath: string;
  readonly runtimePath: string;
  readonly tempPath: string;
  readonly sysconfPath: string;
  readonly squashOptions: string;
  /** At least 1. */
  readonly maxProcessors: number;
  /** At least 1. */
  readonly maxConnections: number;
  /** 0 stands for no limit. */
  readonly connectTimeoutMs: number;
  /** 0 stands for no limit. */
  readonly transferTimeoutMs: number;
  readonly transferRetries: number;
  readonly allowHttp: boolean;
  readonly forceOverride: boolean;
  /** Whether registries.conf resolves names without a registry. */
  readonly shortNames: boolean;
  /** Seconds since 1970. */
  readonly sourceDateEpoch?: number | undefined;
  /** Limit for all uncompressed layers of one image together. */
  readonly maxImageBytes: number;
  /** How much memory layers are decompressed ahead into. */
  readonly maxAheadBytes: number;
  /** The path of the mksquashfs that the user chose. */
  readonly mksquashfs?: string | undefined;
  /** The path of the unsquashfs that the user chose. */
  readonly unsquashfs?: string | undefined;
  /** The directory of finished images that many machines mount. */
  readonly sharePath?: string | undefined;
  /** The directory for this machine's own copies of shared images. */
  readonly shareLocalPath?: string | undefined;
  /** For how long a machine that imports may be silent. */
  readonly shareLeaseMs: number;
  readonly shareLongestJobMs: number;
  readonly shareMaxBytes?: number | undefined;
  readonly shareMaxAgeMs?: number | undefined;
  readonly loginShell: boolean;
  readonly rootfsWritable: boolean;
  readonly remapRoot: boolean;
  readonly unsharePid: boolean;
  readonly unshareNet: boolean;
  readonly unshareIpc: boolean;
  readonly unshareUts: boolean;
  /** Whether root starts containers without a user namespace. */
  readonly allowSuperuser: boolean;
  readonly mountHome: boolean;
  readonly restrictDev: boolean;
  readonly imageMounts: ImageMounts;
  /** 0 stands for no limit. */
  readonly lockTimeoutMs: number;
  readonly tls: {
    /** From an option, for one side of a copy. */
    readonly caFile?: string | undefined;
    readonly curlBundle?: string | undefined;
    readonly certFile?: string | undefined;
    readonly certDir?: string | undefined;
  };
  readonly proxy: {
    readonly http?: string | undefined;
    readonly https?: string | undefined;
    readonly all?: string | undefined;
    readonly no: string;
  };
  /** The environment of the process, with the values of the files in it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Every setting, for people. Passwords in URLs do not show. */
  readonly entries: readonly SettingEntry[];
}

/** The number of connections where the user sets no limit. */
const MANY_CONNECTIONS = 64;

/**
 * Reads the settings. The environment wins over `enroot.conf`, which wins over
 * `enroot.conf.d/*.conf`. The settings in a configuration script, `override`, win over all of them.
 *
 * Throws code `settings` with the setting, its value, its place and the rule.
 */
export async function loadSettings(
  env?: Readonly<Record<string, string | undefined>>,
  override?: SettingLines,
): Promise<Settings> {
  if (env === undefined) requireUtf8Variables();
  const loaded = await loadValues(env ?? environment(), override);
  const processors = cpuCount();
  const { values, entries } = readSettings(
    new Map(loaded.values).set("ENROOT_SYSCONF_PATH", loaded.sysconfPath),
    loaded.ignored,
    { variable: (name) => loaded.values.get(name)?.value, processors },
  );
  return {
    configPath: values.ENROOT_CONFIG_PATH,
    cachePath: values.ENROOT_CACHE_PATH,
    dataPath: values.ENROOT_DATA_PATH,
    runtimePath: values.ENROOT_RUNTIME_PATH,
    tempPath: values.ENROOT_TEMP_PATH,
    sysconfPath: values.ENROOT_SYSCONF_PATH,
    squashOptions: values.ENROOT_SQUASH_OPTIONS,
    maxProcessors: values.ENROOT_MAX_PROCESSORS || processors,
    maxConnections: values.ENROOT_MAX_CONNECTIONS || MANY_CONNECTIONS,
    connectTimeoutMs: values.ENROOT_CONNECT_TIMEOUT,
    transferTimeoutMs: values.ENROOT_TRANSFER_TIMEOUT,
    transferRetries: values.ENROOT_TRANSFER_RETRIES,
    allowHttp: values.ENROOT_ALLOW_HTTP,
    forceOverride: values.ENROOT_FORCE_OVERRIDE,
    shortNames: values.DENROOT_SHORT_NAMES,
    sourceDateEpoch: values.SOURCE_DATE_EPOCH,
    maxImageBytes: values.DENROOT_MAX_IMAGE_BYTES,
    maxAheadBytes: values.DENROOT_MAX_AHEAD_BYTES,
    mksquashfs: values.DENROOT_MKSQUASHFS,
    unsquashfs: values.DENROOT_UNSQUASHFS,
    sharePath: values.DENROOT_SHARE_PATH,
    shareLocalPath: values.DENROOT_SHARE_LOCAL_PATH,
    shareLeaseMs: values.DENROOT_SHARE_LEASE_SECONDS * 1000,
    shareLongestJobMs: values.DENROOT_SHARE_LONGEST_JOB,
    shareMaxBytes: values.DENROOT_SHARE_MAX_BYTES,
    shareMaxAgeMs: values.DENROOT_SHARE_MAX_AGE,
    loginShell: values.ENROOT_LOGIN_SHELL,
    rootfsWritable: values.ENROOT_ROOTFS_WRITABLE,
    remapRoot: values.ENROOT_REMAP_ROOT,
    unsharePid: values.ENROOT_UNSHARE_PID,
    unshareNet: values.ENROOT_UNSHARE_NET,
    unshareIpc: values.ENROOT_UNSHARE_IPC,
    unshareUts: values.ENROOT_UNSHARE_UTS,
    allowSuperuser: values.ENROOT_ALLOW_SUPERUSER,
    mountHome: values.ENROOT_MOUNT_HOME,
    restrictDev: values.ENROOT_RESTRICT_DEV,
    imageMounts: values.DENROOT_IMAGE_MOUNTS as ImageMounts,
    lockTimeoutMs: values.DENROOT_LOCK_TIMEOUT,
    tls: {
      curlBundle: values.CURL_CA_BUNDLE,
      certFile: values.SSL_CERT_FILE,
      certDir: values.SSL_CERT_DIR,
    },
    proxy: {
      http: values.http_proxy,
      https: values.https_proxy,
      all: values.all_proxy,
      no: values.no_proxy,
    },
    environment: { ...env, ...textOf(loaded) },
    entries: [...entries, ...otherEntries(loaded)],
  };
}

/** Whether `name` was set, so that it does not have its default. */
export function isSet({ entries }: Pick<Settings, "entries">, name: string): boolean {
  return entries.some((entry) => entry.name === name && entry.origin !== "default");
}

function textOf({ values }: LoadedValues): Record<string, string> {
  return Object.fromEntries([...values].map(([name, { value }]) => [name, value]));
}

/** enroot's other variables that are set: they have no effect, and `info` says so. */
function otherEntries({ values }: LoadedValues): SettingEntry[] {
  const known = new Set(
    ALL_SETTINGS.flatMap(([name, { olderName, otherName }]) => [name, olderName, otherName]),
  );
  return [...values].filter(([name]) => name.startsWith("ENROOT_") && !known.has(name))
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, { value, origin, note }]) => ({
      name,
      value: withoutPassword(value),
      origin,
      note: [note, "no effect"].filter((text) => text !== undefined).join("; "),
    }));
}
