/** The options that all operations on images share, and the source that they open. */

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
  /** A name from `uname -m` or from images: `aarch64`, `arm64`. The default is this machine's. */
  readonly architecture?: string | undefined;
  /** By default they are read from the environment and `enroot.conf`. */
  readonly settings?: Settings | undefined;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The options, with a value for each. */
export interface ImageContext
  extends Required<Omit<SourceContext, "blobs" | "access" | "withoutMirrors" | "connections">> {
  /** Whether the caller named the architecture, so that an image for another one is an error. */
  readonly isPlatformAsked: boolean;
}

/** Throws code `usage` for an architecture that cannot be a name, `settings` for invalid settings. */
export async function imageContext(options: ImageOptions): Promise<ImageContext> {
  return {
    platform: requestedPlatform(options.architecture),
    isPlatformAsked: options.architecture !== undefined,
    settings: options.settings ?? await loadSettings(),
    onProgress: options.onProgress ?? (() => {}),
    signal: options.signal ?? new AbortController().signal,
  };
}

/** Opens the source that a reference or URI names while `use` runs, and keeps nothing in the cache. */
export async function withSource<T>(
  reference: Reference | string,
  options: ImageOptions,
  use: (source: ImageSource, context: ImageContext & SourceContext) => Promise<T>,
  { withoutMirrors = false }: Pick<SourceContext, "withoutMirrors"> = {},
): Promise<T> {
  const parsed = typeof reference === "string" ? parseReference(reference) : reference;
  const context = await imageContext(options);
  using blobs = openStore(context.settings, context.onProgress);
  await using source = await openSource(parsed, { ...context, blobs, withoutMirrors });
  return await use(source, { ...context, blobs });
}
