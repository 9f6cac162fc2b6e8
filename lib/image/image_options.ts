/** What all operations on images have in common: their options, and the source that they open. */

import { loadSettings, type Settings } from "../config/settings.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { openStore } from "../store/open_cache.ts";
import { openSource } from "../transport/open_source.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { OnProgress } from "../types/progress.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageSource } from "../types/source.ts";
import { requestedPlatform } from "./platform.ts";

export interface ImageOptions {
  /** As `uname -m` or as images name it; this machine's by default. */
  readonly architecture?: string;
  /** Read from the environment and `enroot.conf` by default. */
  readonly settings?: Settings;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** The options with their defaults. */
export type ImageContext = Required<Omit<SourceContext, "blobs">>;

/** Throws codes `platform` and `settings`. */
export async function imageContext(options: ImageOptions): Promise<ImageContext> {
  return {
    platform: requestedPlatform(options.architecture),
    settings: options.settings ?? await loadSettings(),
    onProgress: options.onProgress ?? (() => {}),
    signal: options.signal ?? new AbortController().signal,
  };
}

/** Opens the place that `reference` or a URI names for a look at it; nothing is kept in the cache. */
export async function withSource<T>(
  reference: Reference | string,
  options: ImageOptions,
  use: (source: ImageSource, context: Required<SourceContext>) => Promise<T>,
): Promise<T> {
  const parsed = typeof reference === "string" ? parseReference(reference) : reference;
  const context = await imageContext(options);
  using blobs = openStore(context.settings, context.onProgress);
  await using source = await openSource(parsed, { ...context, blobs });
  return await use(source, { ...context, blobs });
}
