/** The index of referrers under a tag, for registries without lists of their own. */

import { Buffer } from "node:buffer";
import { hasCode } from "../../../errors.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import { digestOf, isDigest } from "../../../oci/digest.ts";
import { isObject, type JsonObject, parseJsonObject } from "../../../oci/json_fields.ts";
import { OCI_INDEX } from "../../../oci/media_types.ts";
import { MAX_INDEX_ENTRIES } from "../../../oci/parse_manifest.ts";
import { referrersTag } from "../../../oci/referrer_tags.ts";
import type { Digest, StoredDocument } from "../../../types/image.ts";
import type { Manifests } from "./manifests.ts";
import type { Writer } from "./writer.ts";

/** The last writer of each index in this process, by repository and tag: the next one waits for it. */
const writers = new Map<string, Promise<void>>();

/** The digest of the document that this one refers to (image-spec, "subject"). */
export function subjectOf({ bytes }: StoredDocument): Digest | undefined {
  const { subject } = parseJsonObject(bytes, "The manifest");
  const digest = isObject(subject) ? subject["digest"] : undefined;
  return typeof digest === "string" && isDigest(digest) ? digest : undefined;
}

/**
 * Adds `referrer` to the index of its subject (distribution-spec, "Referrers Tag Schema"). All other
 * entries stay as they are, those of writers elsewhere too as far as the registry makes that possible.
 */
export async function addReferrer(
  referrer: StoredDocument,
  subject: Digest,
  manifests: Manifests,
  writer: Writer,
  signal: AbortSignal,
): Promise<void> {
  const tag = referrersTag(subject);
  const key = `${writer.name} ${tag}`;
  const before = writers.get(key);
  const mine = (async () => {
    await before?.catch(() => {});
    await addToIndex(referrer, tag, manifests, writer, signal);
  })();
  writers.set(key, mine);
  try {
    await mine;
  } finally {
    if (writers.get(key) === mine) writers.delete(key);
  }
}

async function addToIndex(
  referrer: StoredDocument,
  tag: string,
  manifests: Manifests,
  writer: Writer,
  signal: AbortSignal,
): Promise<void> {
  for (let round = 0; round < writer.limits.referrersRounds; round++) {
    const known = await manifests.read(tag, signal);
    const index = known === undefined ? EMPTY_INDEX : parseReferrers(known.bytes, tag, writer);
    if (hasEntry(index, referrer.digest)) return;
    const bytes = Buffer.from(JSON.stringify({
      ...index,
      manifests: [...index.manifests, describe(referrer)],
    }));
    const document = { mediaType: OCI_INDEX, digest: digestOf(bytes), bytes };
    try {
      await manifests.put(tag, document, signal, { etag: known?.etag });
    } catch (error) {
      if (!(error instanceof TransferError) || error.status !== 412) throw error;
    }
    // Another process may have read the same index, and have put its own after this one: the next
    // round sees whether the entry is there.
  }
  throw lostRace(tag, writer);
}

interface Referrers extends JsonObject {
  readonly manifests: readonly unknown[];
}

const EMPTY_INDEX: Referrers = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] };

function parseReferrers(bytes: Uint8Array, tag: string, writer: Writer): Referrers {
  try {
    const index = parseJsonObject(bytes, `The index ${tag}`);
    const manifests = index["manifests"] ?? [];
    if (Array.isArray(manifests) && manifests.length < MAX_INDEX_ENTRIES && !("layers" in index)) {
      return { ...index, manifests };
    }
  } catch (error) {
    if (!hasCode(error, "manifest")) throw error;
  }
  throw notReferrers(tag, writer);
}

function hasEntry({ manifests }: Referrers, digest: Digest): boolean {
  return manifests.some((entry) => isObject(entry) && entry["digest"] === digest);
}

/** The descriptor of a referrer has its type and annotations, so that clients can choose. */
function describe({ mediaType, digest, bytes }: StoredDocument): JsonObject {
  const { artifactType, config, annotations } = parseJsonObject(bytes, "The manifest");
  const type = artifactType ?? (isObject(config) ? config["mediaType"] : undefined);
  return {
    mediaType,
    digest,
    size: bytes.length,
    ...(typeof type === "string" && type !== "" && { artifactType: type }),
    ...(isObject(annotations) && { annotations }),
  };
}

function notReferrers(tag: string, { name }: Writer): TransferError {
  return new TransferError(
    "registry",
    `The tag ${tag} of ${name} should be a list of what refers to an image, and is something else`,
    { hint: "Delete that tag, or copy without what refers to the image" },
  );
}

function lostRace(tag: string, { name }: Writer): TransferError {
  return new TransferError(
    "registry",
    `The list under the tag ${tag} of ${name} is changed by others again and again`,
    { hint: "Copy the image again when they are done" },
  );
}
