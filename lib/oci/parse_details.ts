/** Parses everything in an image's configuration that people may want to see (image-spec, config.md). */

import { DenrootError } from "../errors.ts";
import type { ImageConfig } from "../types/image.ts";
import { Fields, parseJsonObject } from "./json_fields.ts";
import { parseConfig } from "./parse_config.ts";

/** A configuration with the parts that an import does not use. All text is unchanged from the image. */
export interface ImageDetails extends ImageConfig {
  readonly author?: string;
  /** The version of Docker that built the image. */
  readonly dockerVersion?: string;
  readonly user?: string;
  /** `80/tcp`, `53/udp`, or only the number. */
  readonly exposedPorts: readonly string[];
  readonly stopSignal?: string;
  /** The steps that made the image, in the order in which they ran. */
  readonly history: readonly HistoryEntry[];
}

export interface HistoryEntry {
  /** An RFC 3339 time, unchanged from the image. */
  readonly created?: string;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
  /** Whether the step made no layer, because it changed no file. */
  readonly emptyLayer: boolean;
}

const MAX_HISTORY = 100_000;
const WHAT = "The image's configuration";

/**
 * Throws what `parseConfig` throws; also code `manifest` when one of the further fields has a wrong
 * type, and `limit` for a history of more than 100,000 steps.
 */
export function parseDetails(bytes: Uint8Array): ImageDetails {
  const config = parseConfig(bytes);
  const fields = new Fields(parseJsonObject(bytes, WHAT), WHAT);
  const run = new Fields(fields.optionalObject("config") ?? {}, `${WHAT}'s "config"`);
  return {
    ...config,
    ...text("author", fields, "author"),
    ...text("dockerVersion", fields, "docker_version"),
    ...text("user", run, "User"),
    exposedPorts: Object.keys(run.optionalObject("ExposedPorts") ?? {}),
    ...text("stopSignal", run, "StopSignal"),
    history: parseHistory(fields),
  };
}

function parseHistory(fields: Fields): readonly HistoryEntry[] {
  const entries = fields.optionalArray("history") ?? [];
  if (entries.length > MAX_HISTORY) {
    throw new DenrootError(
      "limit",
      `${WHAT} has a history of ${entries.length} steps; the limit is ${MAX_HISTORY}`,
    );
  }
  return entries.map((entry, position) => {
    const step = new Fields(entry, `${WHAT}'s history entry ${position + 1}`);
    return {
      ...text("created", step, "created"),
      ...text("createdBy", step, "created_by"),
      ...text("author", step, "author"),
      ...text("comment", step, "comment"),
      emptyLayer: step.optionalBoolean("empty_layer") ?? false,
    };
  });
}

/** Empty text counts as absent: Go does not write it. */
function text<N extends string>(name: N, fields: Fields, field: string): { [K in N]?: string } {
  const value = fields.optionalString(field);
  return (value ? { [name]: value } : {}) as { [K in N]?: string };
}
