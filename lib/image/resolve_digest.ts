/** What a reference stands for, without importing it. */

import { loadSettings } from "../config/settings.ts";
import { BlobCache } from "../layer/blob_cache.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { openSource } from "../transport/open_source.ts";
import type { Digest } from "../types.ts";
import type { ImportOptions } from "./import_image.ts";
import { requestedPlatform } from "./platform.ts";

export type ResolveOptions = Pick<
  ImportOptions,
  "architecture" | "settings" | "onProgress" | "signal"
>;

/** The digest of the manifest that an import would take: that of the platform, not of an index. */
export async function resolveDigest(uri: string, options: ResolveOptions = {}): Promise<Digest> {
  const reference = parseReference(uri);
  const settings = options.settings ?? await loadSettings();
  const signal = options.signal ?? new AbortController().signal;
  const platform = requestedPlatform(options.architecture);
  await using source = await openSource(reference, {
    settings,
    blobs: new BlobCache(settings.cachePath),
    onProgress: options.onProgress,
    signal,
  });
  const { digest } = await source.resolve(platform, signal);
  return digest;
}
