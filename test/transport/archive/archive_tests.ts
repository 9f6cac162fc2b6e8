/** Helpers that the tests of archives share. */

import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { DenrootError } from "../../../lib/errors.ts";
import { BlobCache } from "../../../lib/store/blob_cache.ts";
import { openSource } from "../../../lib/transport/open_source.ts";
import type { SourceContext } from "../../../lib/transport/source_context.ts";
import type { ResolvedImage } from "../../../lib/types/image.ts";
import type { ImageContent } from "../../../lib/types/source.ts";
import type { Reference } from "../../../lib/types/reference.ts";
import { hostArchitecture } from "../../helpers/image_fixture.ts";
import { tarArchive, type TarSpec } from "../../helpers/tar_fixture.ts";
import { bytesOf } from "../local_content.ts";
import { makeSettings, NEVER } from "../registry/registry_fixture.ts";
import { contentOf, resolveImage } from "../../../lib/image/resolve_image.ts";

export const HOST = { os: "linux", architecture: hostArchitecture() };

/** Makes a context whose cache is in `directory`. */
export function makeContext(directory: string): SourceContext {
  return {
    settings: makeSettings(),
    platform: HOST,
    blobs: new BlobCache(join(directory, "cache")),
    signal: NEVER,
  };
}

interface OpenedImage {
  readonly uri: string;
  readonly image: ResolvedImage;
  readonly content: ImageContent;
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
}

/** Resolves the image and reads the stored bytes of all its blobs. */
export async function openImage(
  reference: Reference,
  context: SourceContext,
  platform = HOST,
): Promise<OpenedImage> {
  await using source = await openSource(reference, context);
  const image = await resolveImage(source, platform, NEVER);
  const content = await contentOf(source, image, NEVER);
  return {
    uri: source.uri,
    image,
    content,
    config: bytesOf(source, content.config),
    layers: content.layers.map((layer) => bytesOf(source, layer)),
  };
}

let archives = 0;

/** The forms of an archive: a plain one is read where it is, a compressed one as a stream. */
export const FORMS: readonly (readonly [name: string, make: (tar: Uint8Array) => Uint8Array])[] = [
  ["plain", (tar) => tar],
  ["gzip", (tar) => gzipSync(tar, { level: 1 })],
  ["zstd", (tar) => zstdCompressSync(tar)],
];

export function writeArchive(
  directory: string,
  members: readonly (TarSpec | Uint8Array)[] | Uint8Array,
  make: (tar: Uint8Array) => Uint8Array = (tar) => tar,
): string {
  const path = join(directory, `archive${archives++}.tar`);
  writeFileSync(path, make(members instanceof Uint8Array ? members : tarArchive(members)));
  return path;
}

/** Gives the error with which `promise` rejects. Fails unless it is a DenrootError. */
export async function errorOf(promise: Promise<unknown>): Promise<DenrootError> {
  const result = await promise.then(() => undefined, (error) => error);
  assert.ok(result !== undefined, "The promise did not reject");
  if (!(result instanceof DenrootError)) throw result;
  assert.doesNotMatch(`${result.message} ${result.hint ?? ""}`, /\p{Cc}/u);
  return result;
}
