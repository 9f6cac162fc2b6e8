/** Images of every shape in a layout, and copies in this process. */

import { Buffer } from "node:buffer";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { copyImage, type CopyOptions, type CopyResult } from "../../lib/copy/copy_image.ts";
import type { Settings } from "../../lib/config/settings.ts";
import type { ProgressEvent } from "../../lib/types/progress.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../lib/oci/media_types.ts";
import { type Blob, blobPath, digestOf, jsonBlob, writeBlob } from "../helpers/image_fixture.ts";
import { newDirectories, scratchDirectory } from "../helpers/scratch.ts";
import { makeSettings } from "../transport/registry/registry_fixture.ts";

const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/** What a generated image is made of. Numbers choose small contents, so that images share blobs. */
export type Shape =
  | { readonly kind: "image" | "chart"; readonly layers: readonly number[] }
  | { readonly kind: "index"; readonly children: readonly Shape[] };

const leaf: fc.Arbitrary<Shape> = fc.record({
  kind: fc.constantFrom("image", "image", "chart"),
  layers: fc.array(fc.nat(6), { minLength: 1, maxLength: 4 }),
});

/** Images, artifacts, and indexes of them, nested up to three times. */
export const anyShape: fc.Arbitrary<Shape> = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.record({
      kind: fc.constant("index" as const),
      children: fc.array(tie("shape"), { maxLength: 4 }),
    }),
  ),
})).shape;

/** Writes a layout; everything else is added to it. */
export class Layout {
  readonly path: string;
  readonly #entries: object[] = [];

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    this.#write();
  }

  /** Writes the documents and blobs of an image, and gives its root. */
  add(shape: Shape, subject?: Blob): Blob {
    if (shape.kind === "index") {
      const manifests = shape.children.map((child) => descriptorOf(this.add(child)));
      return this.put(jsonBlob(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
    }
    const isImage = shape.kind === "image";
    const layers = shape.layers.map((number) => this.put(contentOf(number)));
    const config = this.put(jsonBlob(
      isImage ? OCI_CONFIG : "application/vnd.cncf.helm.config.v1+json",
      isImage ? { rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) } } : {},
    ));
    return this.put(jsonBlob(OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      ...(subject && { artifactType: "application/x.signature", subject: descriptorOf(subject) }),
      config: descriptorOf(config),
      layers: layers.map(descriptorOf),
    }));
  }

  /** Lists a document, under a tag if there is one. */
  list(blob: Blob, tag?: string, platform?: object): void {
    const annotations = tag && { "org.opencontainers.image.ref.name": tag };
    this.#entries.push({
      ...descriptorOf(blob),
      ...(platform && { platform }),
      ...(annotations && { annotations }),
    });
    this.#write();
  }

  read(digest: string): Buffer {
    return readFileSync(blobPath(this.path, digest));
  }

  /** Writes a document or blob that nothing lists. */
  put(blob: Blob): Blob {
    writeBlob(this.path, blob);
    return blob;
  }

  #write(): void {
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: this.#entries };
    writeFileSync(join(this.path, "index.json"), JSON.stringify(index));
    writeFileSync(join(this.path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }
}

/** No gzip data: a copy must not look into it. */
function contentOf(number: number): Blob {
  const bytes = Buffer.alloc(number * 1000, `content ${number}`);
  return { mediaType: OCI_LAYER, digest: digestOf(bytes), size: bytes.length, bytes };
}

export function descriptorOf({ mediaType, digest, size }: Blob): object {
  return { mediaType, digest, size };
}

type TestCopyOptions = CopyOptions & {
  readonly log?: string[];
  readonly events?: ProgressEvent[];
};

/** Copies that share one cache, in a directory of the calling test file's own. */
export function useCopies(): {
  readonly scratch: string;
  /** Makes a new directory in `scratch`. */
  newHome(): string;
  copy(from: string, to: string, options?: TestCopyOptions): Promise<CopyResult>;
  copySettings(changes?: Partial<Settings>): Settings;
} {
  const scratch = scratchDirectory("copies");
  const copySettings = (changes: Partial<Settings> = {}) =>
    makeSettings({ cachePath: join(scratch, "cache"), ...changes });
  return {
    scratch,
    newHome: newDirectories(scratch),
    copySettings,
    copy(from, to, { log, events, ...options } = {}) {
      return copyImage(from, to, {
        settings: copySettings(),
        ...options,
        onProgress(event) {
          events?.push(event);
          if (event.type === "log") log?.push(event.message);
        },
      });
    },
  };
}
