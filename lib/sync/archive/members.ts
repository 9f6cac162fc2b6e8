/** The members of an archive for a gap, in their order, with their places in the tar. */

import { createHash } from "node:crypto";
import { blobPath } from "../../oci/digest.ts";
import { BLOCK, padding } from "../../tar/entry.ts";
import { fileHeader } from "../../tar/tar_writer.ts";
import { MARKER } from "../../transport/layout/index_file.ts";
import type { Digest } from "../../types/image.ts";
import type { Have } from "./have.ts";
import { INVENTORY, type Inventory, inventoryBytes } from "./inventory.ts";
import type { RecordedBlob, Recorder } from "./recorder.ts";

/** The sums of all members before it, as `sha256sum --check` reads them. */
const SUMS = "SHA256SUMS";
export const MODE = 0o644;

export interface Member {
  readonly name: string;
  readonly size: number;
  /** The content: bytes, or a blob of the source. */
  readonly content: Uint8Array | RecordedBlob;
}

/** What the archive says about itself. `created` is an RFC 3339 time. */
export function inventoryOf(recorder: Recorder, have: Have, created: string): Inventory {
  const names = new Set(recorder.images.map(({ name }) => name));
  return {
    created,
    images: [...recorder.images].sort((one, other) => one.name < other.name ? -1 : 1),
    blobs: [
      ...documentsOf(recorder).map(({ digest, bytes }) => ({ digest, size: bytes.length })),
      ...blobsOf(recorder).map(({ descriptor: { digest, size } }) => ({ digest, size })),
    ],
    needs: [...recorder.needs.values()].sort(byDigest),
    known: [...have.images.values()].filter(({ name }) => !names.has(name)),
  };
}

/** `loadable` is what `loadableList()` gives. */
export function membersOf(
  recorder: Recorder,
  inventory: Inventory,
  loadable: Uint8Array | undefined,
): readonly Member[] {
  const text = (name: string, bytes: Uint8Array): Member => ({
    name,
    size: bytes.length,
    content: bytes,
  });
  const encode = (value: string) => new TextEncoder().encode(value);
  const members: readonly Member[] = [
    text(INVENTORY, inventoryBytes(inventory)),
    text("oci-layout", encode(MARKER)),
    text("index.json", recorder.index),
    ...(loadable === undefined ? [] : [text("manifest.json", loadable)]),
    ...documentsOf(recorder).map(({ digest, bytes }) => text(blobPath(digest), bytes)),
    ...blobsOf(recorder).map((blob) => ({
      name: blobPath(blob.descriptor.digest),
      size: blob.descriptor.size,
      content: blob,
    })),
  ];
  return [...members, text(SUMS, encode(members.map(sumLine).join("")))];
}

/** Where the members begin in the tar, and its size with the end mark. */
export function placesOf(
  members: readonly Member[],
): { readonly places: readonly number[]; readonly size: number } {
  const places: number[] = [];
  let end = 0;
  for (const { name, size } of members) {
    places.push(end);
    end += fileHeader(name, size, MODE).length + size + padding(size);
  }
  return { places, size: end + 2 * BLOCK };
}

/** The same order for the same images, so that an archive that was cut can be gone on with. */
function documentsOf({ documents }: Recorder) {
  return [...documents.values()].sort(byDigest);
}

/** The largest first: no long transfer is left for the end. */
function blobsOf({ blobs, documents }: Recorder): readonly RecordedBlob[] {
  return [...blobs.values()]
    .filter(({ descriptor: { digest } }) => !documents.has(digest))
    .sort(({ descriptor: one }, { descriptor: other }) =>
      other.size - one.size || byDigest(one, other)
    );
}

/** Empty for a blob whose name has its sum by another algorithm. */
function sumLine({ name, content }: Member): string {
  if (content instanceof Uint8Array) {
    return `${createHash("sha256").update(content).digest("hex")}  ${name}\n`;
  }
  const [, hex] = /^sha256:(.*)$/.exec(content.descriptor.digest) ?? [];
  return hex === undefined ? "" : `${hex}  ${name}\n`;
}

function byDigest(one: { digest: Digest }, other: { digest: Digest }): number {
  return one.digest < other.digest ? -1 : one.digest > other.digest ? 1 : 0;
}
