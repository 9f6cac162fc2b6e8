/** What can be started in one step: the image of a URI, an image file, or a definition's image. */

import fs from "node:fs";
import type { StartOptions } from "../container/start/start_request.ts";
import { DenrootError } from "../errors.ts";
import type { ImportResult } from "../image/import_image.ts";
import type { KeepOptions } from "../image/keep_image.ts";
import { SQUASHFS_MAGIC } from "../squashfs/superblock.ts";
import type { Definition } from "./parse_definition.ts";

/** What a definition says of its container's start. */
export type DefinedStart = Pick<
  StartOptions,
  "configScript" | "environment" | "definedMounts" | "remapRoot" | "workdir" | "writable"
>;

export interface Runnable {
  /** The image file. */
  readonly image: string;
  readonly start: DefinedStart;
  /** The result of the import; undefined where the image was there. */
  readonly imported?: ImportResult | undefined;
}

const SCRIPT_MAGIC = "#!";

/**
 * Brings the image up to date that `what` names: a URI's is kept in the cache, a definition's has its
 * place, and an image file is what it is.
 *
 * Throws as `keepImage`, `readDefinition` and `importDefinition` do; code `usage` for a definition with
 * an architecture or `offline`, which the definition decides.
 */
export async function findRunnable(what: string, options: KeepOptions = {}): Promise<Runnable> {
  // What is not needed is not loaded: an image file should start as fast as a container.
  const beginning = beginningOf(what);
  if (beginning === SQUASHFS_MAGIC) return { image: what, start: {} };
  if (beginning?.startsWith(SCRIPT_MAGIC)) {
    const [{ loadSettings }, { readDefinition }] = await Promise.all([
      import("../config/settings.ts"),
      import("./read_definition.ts"),
    ]);
    const settings = options.settings ?? await loadSettings();
    if (options.architecture !== undefined) throw platformIsDefined(what);
    const definition = readDefinition(what, settings.environment);
    return await runnableDefinition(definition, { ...options, settings });
  }
  const { keepImage } = await import("../image/keep_image.ts");
  const { path, imported } = await keepImage(what, options);
  return { image: path, start: {}, imported };
}

/** As {@link findRunnable}, for a definition that was read. */
export async function runnableDefinition(
  definition: Definition,
  options: Omit<KeepOptions, "architecture">,
): Promise<Runnable> {
  const { importDefinition } = await import("./import_definition.ts");
  const { output, imported } = await importDefinition(definition, options);
  const { file, conf, env, mounts, remapRoot, workdir, writable } = definition;
  const definedMounts = { file, mounts };
  return {
    image: output,
    start: { configScript: conf, environment: env, definedMounts, remapRoot, workdir, writable },
    imported,
  };
}

/** What is asked for wins over what is defined, and lists come behind the defined ones. */
export function withDefined(defined: DefinedStart, asked: StartOptions): StartOptions {
  return {
    ...asked,
    configScript: asked.configScript ?? defined.configScript,
    environment: [...defined.environment ?? [], ...asked.environment ?? []],
    definedMounts: defined.definedMounts,
    remapRoot: asked.remapRoot ?? defined.remapRoot,
    workdir: asked.workdir ?? defined.workdir,
    writable: asked.writable ?? defined.writable,
  };
}

/** The first four bytes of a regular file; undefined where there is none. */
function beginningOf(file: string): string | undefined {
  try {
    if (!fs.statSync(file).isFile()) return undefined;
    const descriptor = fs.openSync(file, "r");
    try {
      const bytes = new Uint8Array(SQUASHFS_MAGIC.length);
      fs.readSync(descriptor, bytes);
      return String.fromCharCode(...bytes);
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}

function platformIsDefined(file: string): DenrootError {
  return new DenrootError(
    "usage",
    `${file} is a definition, which has its own line for the platform`,
    {
      hint: "Write platform linux/ARCHITECTURE into it",
    },
  );
}
