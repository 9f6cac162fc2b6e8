/** Finds the digest of the image that a reference names, without importing the image. */

import type { Digest } from "../types/image.ts";
import { type ImageOptions, withSource } from "./image_options.ts";
import { resolveImage } from "./resolve_image.ts";

export interface ResolvedDigest {
  /** The canonical reference, without a user. */
  readonly uri: string;
  /** The digest of the manifest that an import would use: the platform's, not that of an index. */
  readonly digest: Digest;
}

/** Throws {@link DenrootError}, with code `aborted` when `signal` aborts. */
export async function resolveDigest(
  uri: string,
  options: ImageOptions = {},
): Promise<ResolvedDigest> {
  return await withSource(uri, options, async (source, { platform, signal }) => {
    const { digest } = await resolveImage(source, platform, signal);
    return { uri: source.uri, digest };
  });
}
