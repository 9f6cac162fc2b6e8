/** Finds the digest of the image that a reference names, without importing the image. */

import { isConfigType } from "../oci/media_types.ts";
import { parseConfig } from "../oci/parse_config.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Digest, ResolvedImage } from "../types/image.ts";
import type { ImageSource } from "../types/source.ts";
import { type ImageContext, type ImageOptions, withSource } from "./image_options.ts";
import { checkPlatform } from "./platform.ts";
import { readConfig } from "./read_config.ts";
import { contentOf, resolveImage } from "./resolve_image.ts";

export interface ResolvedDigest {
  /** The canonical reference, without a user. */
  readonly uri: string;
  /** The digest of the manifest that an import would use: the platform's, not that of an index. */
  readonly digest: Digest;
}

/**
 * An artifact that is not an image has a digest too. Throws {@link DenrootError}: code `platform` when
 * there is no image for the architecture that the options name, `aborted` when `signal` aborts.
 */
export async function resolveDigest(
  uri: string,
  options: ImageOptions = {},
): Promise<ResolvedDigest> {
  return await withSource(uri, options, async (source, context) => {
    const image = await resolveImage(source, context.platform, context.signal);
    if (context.isPlatformAsked) await requirePlatform(source, image, context);
    return { uri: source.uri, digest: image.digest };
  });
}

/** Where no index says for which platform the image is, only its configuration does. */
export async function requirePlatform(
  source: ImageSource,
  image: ResolvedImage,
  context: ImageContext & SourceContext,
): Promise<void> {
  const isImage = isConfigType(image.manifest.config?.mediaType ?? "");
  if (image.platform !== undefined || !isImage) return;
  const content = await contentOf(source, image, context.signal);
  checkPlatform(parseConfig(await readConfig(source, content, context)), image, context);
}
