/** What a reference stands for, without importing it. */

import { loadSettings } from "../config/settings.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { openSource } from "../transport/open_source.ts";
import type { Digest } from "../types/image.ts";
import type { ImportOptions } from "./import_image.ts";
import { openStore } from "../store/open_cache.ts";
import { requestedPlatform } from "./platform.ts";

export type ResolveOptions = Pick<
  ImportOptions,
  "architecture" | "settings" | "onProgress" | "signal"
>;

export interface ResolvedDigest {
  /** The canonical reference, without a user. */
  readonly uri: string;
  /** Of the manifest that an import would take: that of the platform, not of an index. */
  readonly digest: Digest;
}

/** Throws {@link DenrootError}: code `aborted` when `signal` aborts. */
export async function resolveDigest(
  uri: string,
  options: ResolveOptions = {},
): Promise<ResolvedDigest> {
  const reference = parseReference(uri);
  const settings = options.settings ?? await loadSettings();
  const signal = options.signal ?? new AbortController().signal;
  const platform = requestedPlatform(options.architecture);
  const onProgress = options.onProgress ?? (() => {});
  using blobs = openStore(settings, onProgress);
  await using source = await openSource(reference, { settings, blobs, onProgress, signal });
  const { digest } = await source.resolve(platform, signal);
  return { uri: source.uri, digest };
}
