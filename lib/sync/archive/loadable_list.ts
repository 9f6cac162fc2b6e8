/** The `manifest.json` by which `docker load` and `podman load` read an archive for a gap. */

import { DenrootError } from "../../errors.ts";
import { resolveImage } from "../../image/resolve_image.ts";
import { SavedList } from "../../transport/archive/saved_list.ts";
import type { Digest, Platform, StoredDocument } from "../../types/image.ts";
import type { RootedSource } from "../../types/source.ts";
import type { Recorder } from "./recorder.ts";

/**
 * Names the images that the archive has whole for the platform, with layers that every version of
 * Docker reads. Undefined when there are none.
 */
export async function loadableList(
  recorder: Recorder,
  platform: Platform,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const saved = new SavedList();
  let count = 0;
  for (const { name, digest } of [...recorder.images].sort(byName)) {
    const manifest = await loadable(digest, recorder, platform, signal);
    if (manifest === undefined || name.includes("@")) continue;
    try {
      saved.add(manifest, [name]);
      count++;
    } catch (error) {
      // An artifact.
      if (!(error instanceof DenrootError)) throw error;
    }
  }
  return count === 0 ? undefined : saved.list;
}

/** The manifest for the platform; undefined where nothing could be loaded. */
async function loadable(
  digest: Digest,
  { documents, blobs }: Recorder,
  platform: Platform,
  signal: AbortSignal,
): Promise<StoredDocument | undefined> {
  const source: RootedSource = {
    uri: digest,
    root: () => Promise.resolve({ document: documents.get(digest)! }),
    document: ({ digest }) => {
      const document = documents.get(digest);
      // A sparse index names it, and it was left out.
      return document === undefined
        ? Promise.reject(notInArchive(digest))
        : Promise.resolve(document);
    },
  };
  try {
    const image = await resolveImage(source, platform, signal);
    const { config, layers } = image.manifest;
    const isWhole = config !== undefined &&
      [config, ...layers].every((one) => blobs.has(one.digest));
    const isPlain = layers.every(({ mediaType }) => /tar(\+gzip|\.gzip)?$/.test(mediaType));
    return isWhole && isPlain ? image.documents.at(-1) : undefined;
  } catch (error) {
    // There is no image for the platform, or no image at all.
    if (!(error instanceof DenrootError)) throw error;
    return undefined;
  }
}

function notInArchive(digest: Digest): DenrootError {
  return new DenrootError("not_found", `The archive does not have ${digest}`);
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1;
}
