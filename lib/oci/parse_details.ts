/** All that an image's configuration tells people: bytes -> checked type (image-spec, config.md). */

import { DenrootError } from "../errors.ts";
import type { ImageConfig } from "../types/image.ts";
import { Fields, parseJsonObject } from "./json_fields.ts";
import { parseConfig } from "./parse_config.ts";

/** A configuration with what an import has no use for. Texts are as the image has them. */
export interface ImageDetails extends ImageConfig {
  readonly author?: string;
  /** The Docker that built the image, where Docker did. */
  readonly dockerVersion?: string;
  readonly user?: string;
  /** `80/tcp`, `53/udp`, or the number alone. */
  readonly exposedPorts: readonly string[];
  readonly stopSignal?: string;
  /** The steps that made the image, first one first. */
  readonly history: readonly HistoryEntry[];
}

export interface HistoryEntry {
  /** RFC 3339, as the image has it. */
  readonly created?: string;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
  /** Whether the step changed no file, and so made no layer. */
  readonly emptyLayer: boolean;
}

const MAX_HISTORY = 100_000;
const WHAT = "The image's config";

/** Throws code `manifest` as `parseConfig` does, and for these fields; `limit` for a long history. */
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

/** What is empty counts as absent, as Go leaves it out. */
function text<N extends string>(name: N, fields: Fields, field: string): { [K in N]?: string } {
  const value = fields.optionalString(field);
  return (value ? { [name]: value } : {}) as { [K in N]?: string };
}
