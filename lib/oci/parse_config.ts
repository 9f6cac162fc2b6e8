/** Parses and checks an image's configuration (image-spec, config.md). */

import { DenrootError } from "../errors.ts";
import type { ImageConfig } from "../types/image.ts";
import { digestFault, isDigest } from "./digest.ts";
import { Fields, parseJsonObject } from "./json_fields.ts";
import { MAX_LAYERS } from "./parse_manifest.ts";

/** The largest configuration that is read, in bytes. Real ones have a few kilobytes. */
export const MAX_CONFIG_SIZE = 16 * 1024 * 1024;

/**
 * Throws code `manifest` when a field that denroot uses is missing or has a wrong type, `limit` for
 * more than {@link MAX_LAYERS} layers.
 */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  const fields = new Fields(parseJsonObject(bytes, WHAT), WHAT);
  const run = new Fields(fields.optionalObject("config") ?? {}, `${WHAT}'s "config"`);
  return {
    ...optional("architecture", fields.optionalString("architecture")),
    ...optional("os", fields.optionalString("os")),
    ...optional("variant", fields.optionalString("variant")),
    ...optional("created", fields.optionalString("created")),
    diffIds: diffIds(fields),
    env: run.strings("Env"),
    entrypoint: words(run, "Entrypoint"),
    cmd: words(run, "Cmd"),
    workingDir: run.optionalString("WorkingDir") ?? "",
    volumes: Object.keys(run.optionalObject("Volumes") ?? {}),
    labels: run.stringMap("Labels"),
  };
}

const WHAT = "The image's configuration";

function diffIds(fields: Fields): readonly string[] {
  const value = fields.isNull("rootfs") ? {} : fields.object("rootfs");
  const rootfs = new Fields(value, `${WHAT}'s "rootfs"`);
  const ids = rootfs.strings("diff_ids");
  if (ids.length > MAX_LAYERS) {
    throw new DenrootError(
      "limit",
      `${WHAT} names ${ids.length} layers; the limit is ${MAX_LAYERS}`,
    );
  }
  const wrong = ids.find((id) => !isDigest(id));
  if (wrong === undefined) return ids;
  throw digestFault(wrong, WHAT);
}

/** A string counts as a list of one, as in Docker. */
function words(fields: Fields, name: string): readonly string[] {
  if (!fields.has(name)) return [];
  try {
    return fields.strings(name);
  } catch (error) {
    let word: string;
    try {
      word = fields.string(name);
    } catch {
      throw error;
    }
    return [word];
  }
}

function optional<N extends string>(name: N, value: string | undefined): { [K in N]?: string } {
  return (value ? { [name]: value } : {}) as { [K in N]?: string };
}
