/** Finds a user's storage by reference, `storage.conf` and environment (containers-storage.conf(5)). */

import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { parse } from "smol-toml";
import { DenrootError, messageOf, systemCode } from "../errors.ts";
import { isObject, type JsonObject } from "../oci/json_fields.ts";
import { quotePath } from "../text/quote_text.ts";
import { accountHome } from "../system/host/environment.ts";
import type { StorageReference } from "../types/reference.ts";

/** The directories of a storage. */
export interface StoragePlace {
  /** Undefined when the content of the directories decides. */
  readonly driver: string | undefined;
  /** The storage itself, then those that only add images to it. Absolute paths. */
  readonly roots: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The relevant content of one `storage.conf`. */
interface StorageConf {
  readonly driver?: string | undefined;
  readonly root?: string | undefined;
  readonly rootlessRoot?: string | undefined;
  /** Further directories with images. */
  readonly imageStores: readonly string[];
}

const SYSTEM_FILES = ["/etc/containers/storage.conf", "/usr/share/containers/storage.conf"];
const SYSTEM_ROOT = "/var/lib/containers/storage";
const MAX_CONF_SIZE = 1024 * 1024;
/** The only options that name directories with images. */
const IMAGE_STORE_OPTION = /^(?:[a-z0-9]+\.)?(?:additional)?imagestore=(.+)$/;

/** Throws code `settings` when a `storage.conf` cannot be used. */
export function findStorage(reference: StorageReference, environment: Environment): StoragePlace {
  const { driver, root, options } = reference;
  if (root !== undefined) return { driver, roots: [root, ...imageStoresOf(options)] };
  const usual = isRootless(environment) ? ofUser(environment) : ofSystem(environment);
  return {
    driver: environment.STORAGE_DRIVER || usual.driver,
    roots: [...usual.roots, ...imageStoresOf((environment.STORAGE_OPTS ?? "").split(","))],
  };
}

/** Inside `podman unshare` every user looks like root: podman tells the real user then. */
function rootlessUser(environment: Environment): number {
  const told = environment._CONTAINERS_ROOTLESS_UID;
  return told === undefined || told === "" ? process.geteuid!() : Number(told);
}

function isRootless(environment: Environment): boolean {
  return rootlessUser(environment) !== 0;
}

function ofSystem(environment: Environment): StoragePlace {
  const conf = systemConf(environment);
  const root = expand(conf.root, environment) ?? SYSTEM_ROOT;
  return { driver: conf.driver, roots: [root, ...conf.imageStores] };
}

/** Rootless users take only the driver and the rootless path from the system's file. */
function ofUser(environment: Environment): StoragePlace {
  const home = environment.HOME || accountHome() || "/";
  const data = environment.XDG_DATA_HOME || path.join(home, ".local/share");
  const system = systemConf(environment);
  const root = expand(system.rootlessRoot, environment) ?? path.join(data, "containers/storage");
  const conf = readConf(environment.CONTAINERS_STORAGE_CONF ?? userFile(environment, home));
  if (conf === undefined) return { driver: system.driver, roots: [root] };
  const ownRoot = expand(conf.root ?? conf.rootlessRoot, environment) ?? root;
  return { driver: conf.driver, roots: [ownRoot, ...conf.imageStores] };
}

function systemConf(environment: Environment): StorageConf {
  const told = environment.CONTAINERS_STORAGE_CONF;
  for (const file of told === undefined ? SYSTEM_FILES : [told]) {
    const conf = readConf(file);
    if (conf !== undefined) return conf;
  }
  return { imageStores: [] };
}

function userFile(environment: Environment, home: string): string {
  return path.join(environment.XDG_CONFIG_HOME || path.join(home, ".config"), CONF_IN_HOME);
}

const CONF_IN_HOME = "containers/storage.conf";

/** Undefined when there is no such file. */
function readConf(file: string): StorageConf | undefined {
  let conf: unknown;
  try {
    const { size } = fs.statSync(file);
    if (size > MAX_CONF_SIZE) throw new Error(`it is larger than ${MAX_CONF_SIZE} bytes`);
    conf = parse(fs.readFileSync(file, "utf8"));
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    const reason = messageOf(cause).split("\n", 1)[0]!;
    throw brokenConf(file, reason, cause);
  }
  const storage = table(file, conf as JsonObject, "storage");
  const options = table(file, storage, "options");
  const imageStore = optionalText(file, storage, "imagestore");
  return {
    driver: optionalText(file, storage, "driver"),
    root: optionalText(file, storage, "graphroot"),
    rootlessRoot: optionalText(file, storage, "rootless_storage_path"),
    imageStores: [
      ...(imageStore === undefined ? [] : [imageStore]),
      ...texts(file, options, "additionalimagestores"),
    ],
  };
}

function imageStoresOf(options: readonly string[]): readonly string[] {
  return options.flatMap((option) => {
    const store = IMAGE_STORE_OPTION.exec(option.trim())?.[1];
    return store === undefined ? [] : [store];
  });
}

/** Replaces `$UID`, `$HOME` and other variables of the environment. */
function expand(text: string | undefined, environment: Environment): string | undefined {
  return text?.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced, bare) => {
    const name = braced ?? bare;
    return name === "UID" ? String(rootlessUser(environment)) : environment[name] ?? "";
  });
}

function table(file: string, parent: JsonObject, name: string): JsonObject {
  const value = parent[name] ?? {};
  if (isObject(value)) return value;
  throw brokenConf(file, `"${name}" is not a table`);
}

function optionalText(file: string, parent: JsonObject, name: string): string | undefined {
  const value = parent[name];
  if (value === undefined || value === "") return undefined;
  if (typeof value === "string") return value;
  throw brokenConf(file, `"${name}" is not text in quotes`);
}

function texts(file: string, parent: JsonObject, name: string): readonly string[] {
  const value = parent[name] ?? [];
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw brokenConf(file, `"${name}" is not a list of texts in quotes`);
}

function brokenConf(file: string, reason: string, cause?: unknown): DenrootError {
  return new DenrootError(
    "settings",
    `The storage's configuration ${quotePath(file)} cannot be used: ${reason}`,
    { cause },
  );
}
