/** A layout's `index.json` and `oci-layout` (image-spec, image-layout.md), changed in one step. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError } from "../../errors.ts";
import { isObject, type JsonObject, parseJsonObject } from "../../oci/json_fields.ts";
import { OCI_INDEX } from "../../oci/media_types.ts";
import { MAX_MANIFEST_SIZE, parseIndex } from "../../oci/parse_manifest.ts";
import { writeFileAtomically } from "../../system/files/atomic_file.ts";
import { waitForLease } from "../../system/files/lease.ts";
import type { Descriptor, Digest } from "../../types/image.ts";
import { plainText, quotePath } from "../../text/quote_text.ts";
import { filesOfDirectory } from "../image_files.ts";
import { withPath } from "../read_document.ts";
import { FULL_NAME, REF_NAME } from "./choose_entries.ts";

const INDEX = "index.json";
const LOCK = ".denroot-index.lock";
export const MARKER = '{"imageLayoutVersion":"1.0.0"}';
const READABLE_BY_ALL = { mode: 0o644 };

type Image = Pick<Descriptor, "mediaType" | "digest" | "size">;

/** What one commit adds. */
export interface Addition {
  readonly image: Image;
  /** Without tags the image is listed without a name. */
  readonly tags: readonly string[];
  /** What refers to the image: it is listed without a name, because nothing else leads to it. */
  readonly referrers: readonly IndexReferrer[];
  /** Whether a tag is taken from another image. */
  readonly replace: boolean;
}

export type IndexReferrer = Image & Pick<Descriptor, "artifactType">;

/**
 * Adds an image to the index. Writers take turns: none removes what another one adds.
 *
 * Throws code `exists` for a tag of another image that is not to be replaced, `manifest` for an index
 * that is invalid, `limit` when it would become larger than is ever read.
 */
export async function addToIndex(
  root: string,
  addition: Addition,
  signal: AbortSignal,
): Promise<void> {
  const lease = await waitForLease(path.join(root, LOCK), { signal });
  try {
    const index = await readIndex(root);
    const bytes = indexBytes(index, addition, root);
    checkIndex(root, bytes);
    await writeMarker(root);
    await writeFileAtomically(path.join(root, INDEX), bytes, READABLE_BY_ALL);
  } finally {
    lease.release();
  }
}

/** The file `index.json` with the addition. `shown` is the layout's path. */
export function indexBytes(
  index: IndexFile,
  { image, tags, referrers, replace }: Addition,
  shown: string,
): Uint8Array {
  let { manifests } = index;
  for (const tag of tags) {
    const holder = manifests.find((entry) => tagOf(entry) === tag)?.digest;
    const isTaken = holder !== undefined && holder !== image.digest;
    if (isTaken && !replace) throw taken(shown, tag, String(holder));
    manifests = withImage(manifests, image, tag);
  }
  if (tags.length === 0) manifests = withImage(manifests, image, undefined);
  for (const referrer of referrers) manifests = withImage(manifests, referrer, undefined);
  const bytes = new TextEncoder().encode(JSON.stringify({ ...index, manifests }));
  if (bytes.length > MAX_MANIFEST_SIZE) throw tooLarge(shown);
  return bytes;
}

/** The digest of the image that has the tag. Throws code `manifest` for an invalid index. */
export async function digestInIndex(root: string, tag: string): Promise<Digest | undefined> {
  const { manifests } = await readIndex(root);
  return manifests.find((entry) => tagOf(entry) === tag)?.digest as Digest | undefined;
}

export interface IndexFile extends JsonObject {
  readonly manifests: readonly JsonObject[];
}

/** The index of a layout without images. */
export const EMPTY_INDEX: IndexFile = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] };

/** The whole file, with fields that are not known here. A new layout has none. */
async function readIndex(root: string): Promise<IndexFile> {
  const files = filesOfDirectory(root);
  if (files.locate(INDEX) === undefined) {
    return EMPTY_INDEX;
  }
  const bytes = await files.read(INDEX, MAX_MANIFEST_SIZE);
  checkIndex(root, bytes);
  return parseJsonObject(bytes, path.join(root, INDEX)) as IndexFile;
}

function checkIndex(root: string, bytes: Uint8Array): void {
  withPath(path.join(root, INDEX), () => parseIndex(bytes));
}

async function writeMarker(root: string): Promise<void> {
  const file = path.join(root, "oci-layout");
  if (fs.existsSync(file)) return;
  await writeFileAtomically(file, new TextEncoder().encode(MARKER), READABLE_BY_ALL);
}

/**
 * An entry without a name for the same image gets the tag, and keeps its other fields. An image that
 * had the tag loses it, and stays without a name, as other tools do it.
 */
function withImage(
  entries: readonly JsonObject[],
  image: Image,
  tag: string | undefined,
): readonly JsonObject[] {
  const isSame = ({ digest }: JsonObject) => digest === image.digest;
  if (tag === undefined) return entries.some(isSame) ? entries : [...entries, image];
  const others = entries.map((entry) => tagOf(entry) === tag ? withoutTag(entry) : entry);
  const isOld = (entry: JsonObject) => isSame(entry) && isNameless(entry);
  const old = others.find(isOld);
  const annotations = { ...annotationsOf(old), [REF_NAME]: tag };
  return [...others.filter((entry) => !isOld(entry)), { ...old, ...image, annotations }];
}

function tagOf(entry: JsonObject): unknown {
  return annotationsOf(entry)[REF_NAME];
}

function withoutTag(entry: JsonObject): JsonObject {
  const { [REF_NAME]: _, ...annotations } = annotationsOf(entry);
  return { ...entry, annotations };
}

function isNameless(entry: JsonObject): boolean {
  const annotations = annotationsOf(entry);
  return annotations[REF_NAME] === undefined && annotations[FULL_NAME] === undefined;
}

function annotationsOf(entry: JsonObject | undefined): JsonObject {
  return isObject(entry?.annotations) ? entry.annotations : {};
}

function taken(root: string, tag: string, digest: Digest): DenrootError {
  return new DenrootError(
    "exists",
    `The layout ${quotePath(root)} has another image under the tag ${plainText(tag)}: ` +
      plainText(digest),
    { hint: "Choose another tag, or replace the image with --force" },
  );
}

function tooLarge(root: string): DenrootError {
  return new DenrootError(
    "limit",
    `${quotePath(root)} lists too many images: its "index.json" would be larger than ` +
      `${MAX_MANIFEST_SIZE / 2 ** 20} MiB`,
  );
}
