/** What the tests of writing to a registry share: destinations, images, sources of bytes. */

import { Buffer } from "node:buffer";
import type { Settings } from "../../../../lib/config/settings.ts";
import { digestOf } from "../../../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../../../lib/oci/media_types.ts";
import type { RegistryLimits } from "../../../../lib/transport/registry/limits.ts";
import {
  openRegistryDestination,
  type RegistryDestination,
} from "../../../../lib/transport/registry/write/destination.ts";
import type { Descriptor, StoredDocument } from "../../../../lib/types/image.ts";
import type { DockerReference } from "../../../../lib/types/reference.ts";
import type { OpenBlob } from "../../../../lib/types/source.ts";
import { blobOf, makeSettings, NEVER, QUICK_LIMITS } from "../registry_fixture.ts";

export const KEEP = { replace: false, furtherTags: [] };
export const REPLACE = { replace: true, furtherTags: [] };
export const UPLOADS = "/v2/team/app/blobs/uploads/";

interface DestinationOptions {
  readonly settings?: Partial<Settings>;
  readonly limits?: Partial<RegistryLimits>;
  readonly reference?: Partial<DockerReference>;
  /** Collects the log. */
  readonly log?: string[];
  readonly signal?: AbortSignal;
}

export function openTo(
  host: string,
  options: DestinationOptions = {},
): Promise<RegistryDestination> {
  const reference: DockerReference = {
    scheme: "docker",
    registry: host,
    repository: "team/app",
    tag: "latest",
    ...options.reference,
  };
  return openRegistryDestination(reference, {
    settings: makeSettings(options.settings),
    signal: options.signal ?? NEVER,
    onProgress: (event) => {
      if (event.type === "log") options.log?.push(`${event.level}: ${event.message}`);
    },
  }, { ...QUICK_LIMITS, ...options.limits });
}

/** Gives the bytes in chunks, from any position; `opened` collects the positions. */
export function bytesOf(
  content: string | Uint8Array,
  { chunkBytes = 1000, opened = [] as number[] } = {},
): OpenBlob {
  const bytes = Buffer.from(content);
  return async function* (start) {
    opened.push(start);
    for (let at = start; at < bytes.length; at += chunkBytes) {
      yield await Promise.resolve(bytes.subarray(at, at + chunkBytes));
    }
  };
}

/** Bytes without a pattern that shorter copies would share. */
export function noise(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0, state = seed; at < size; at++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    bytes[at] = state >> 16;
  }
  return bytes;
}

export function documentOf(content: object, mediaType = OCI_MANIFEST): StoredDocument {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
  return { mediaType, digest: digestOf(bytes), bytes };
}

export function descriptorOf({ mediaType, digest, bytes }: StoredDocument): Descriptor {
  return { mediaType, digest, size: bytes.length };
}

export interface SmallImage {
  readonly blobs: readonly (string | Uint8Array)[];
  readonly document: StoredDocument;
}

export function imageOf(...layers: readonly (string | Uint8Array)[]): SmallImage {
  const config = { ...blobOf("{}"), mediaType: OCI_CONFIG };
  const document = documentOf({ config, layers: layers.map((layer) => blobOf(layer)) });
  return { blobs: ["{}", ...layers], document };
}

export function indexOf(...documents: readonly StoredDocument[]): StoredDocument {
  return documentOf({ manifests: documents.map(descriptorOf) }, OCI_INDEX);
}

/** What refers to another document; its config is the one of every image here. */
export function referrerTo(subject: StoredDocument, name: string): StoredDocument {
  return documentOf({
    artifactType: "application/x-note",
    config: { ...blobOf("{}"), mediaType: "application/vnd.oci.empty.v1+json" },
    layers: [],
    subject: descriptorOf(subject),
    annotations: { name },
  });
}

export async function putImage(
  destination: RegistryDestination,
  { blobs, document }: SmallImage,
): Promise<void> {
  for (const blob of blobs) {
    if (await destination.hasBlob(blobOf(blob), NEVER)) continue;
    await destination.putBlob(blobOf(blob), bytesOf(blob), NEVER);
  }
  await destination.putDocument(document, NEVER);
}
