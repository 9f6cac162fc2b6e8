/** What the tests of layouts that take images share. */

import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../../../lib/oci/media_types.ts";
import { FULL_NAME, REF_NAME } from "../../../lib/transport/layout/choose_entries.ts";
import { openLayoutDestination } from "../../../lib/transport/layout/destination.ts";
import { openSource } from "../../../lib/transport/open_source.ts";
import type { Descriptor, StoredDocument } from "../../../lib/types/image.ts";
import { resolveImage } from "../../../lib/image/resolve_image.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { AMD64, blobOf, makeSettings, NEVER, NO_BLOBS } from "../registry/registry_fixture.ts";

export const scratch = scratchDirectory("destination");
export const CONFIG = "{}";
/** How a commit names an image, when it may take the name from another one. */
export const NAMED = { replace: true, furtherTags: [] };
let layouts = 0;

export interface Image {
  readonly blobs: readonly string[];
  readonly document: StoredDocument;
}

export function imageOf(...layers: readonly string[]): Image {
  const bytes = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { ...blobOf(CONFIG), mediaType: OCI_CONFIG },
    layers: layers.map((layer) => blobOf(layer)),
  }));
  const document = { mediaType: OCI_MANIFEST, digest: digestOf(bytes), bytes };
  return { blobs: [CONFIG, ...layers], document };
}

export function newLayout(): string {
  return join(scratch, `layout-${++layouts}`);
}

export async function* inPieces(text: string, size = 3): AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
  }
}

export async function write(path: string, { blobs, document }: Image, tag?: string): Promise<void> {
  const reference = { scheme: "oci" as const, path, ...(tag !== undefined && { tag }) };
  await using layout = await openLayoutDestination(reference, { signal: NEVER });
  for (const blob of blobs) await layout.putBlob(blobOf(blob), () => inPieces(blob), NEVER);
  await layout.putDocument(document, NEVER);
  await layout.commit(document, NAMED, NEVER);
}

export async function digestIn(path: string, tag?: string): Promise<string> {
  const context = { settings: makeSettings(), blobs: NO_BLOBS, platform: AMD64, signal: NEVER };
  const reference = { scheme: "oci" as const, path, ...(tag !== undefined && { tag }) };
  await using source = await openSource(reference, context);
  return (await resolveImage(source, AMD64, NEVER)).digest;
}

export function indexOf(path: string): { manifests: Descriptor[]; [field: string]: unknown } {
  return JSON.parse(readFileSync(join(path, "index.json"), "utf8"));
}

export function changeIndex(path: string, changes: object): void {
  writeFileSync(join(path, "index.json"), JSON.stringify({ ...indexOf(path), ...changes }));
}

export function names(path: string): (string | undefined)[] {
  return indexOf(path).manifests.map(({ annotations }) => annotations?.[REF_NAME]);
}

export function withoutFullName(entry: Descriptor): Descriptor {
  const { [FULL_NAME]: _, ...annotations } = entry.annotations ?? {};
  return { ...entry, annotations };
}
