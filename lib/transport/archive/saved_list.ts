/** The `manifest.json` of an archive that `docker load` reads (moby, image/spec/v1.2.md). */

import { blobPath } from "../../oci/digest.ts";
import { parseManifestOrIndex } from "../../oci/parse_manifest.ts";
import { requireImage } from "../../oci/require_image.ts";
import type { StoredDocument } from "../../types/image.ts";
import type { SavedImages } from "../layout/archive_destination.ts";

/** Names the files of a layout, so that one tar is both. */
export class SavedList implements SavedImages {
  readonly #images: unknown[] = [];

  /** Throws code `unsupported` for what is not an image. */
  add({ bytes, mediaType }: StoredDocument, names: readonly string[]): void {
    const parsed = parseManifestOrIndex(bytes, mediaType);
    if (parsed.kind === "index") throw new TypeError("An index is not an image");
    const { config, layers } = requireImage(parsed.manifest);
    this.#images.push({
      Config: blobPath(config.digest),
      RepoTags: names.length > 0 ? names : null,
      Layers: layers.map(({ digest }) => blobPath(digest)),
    });
  }

  get list(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(this.#images));
  }
}
