/** A layout's `index.json` and `oci-layout` (image-spec, image-layout.md), changed in one step. */

import fs from "node:fs";
import path from "node:path";
import { isObject, type JsonObject, parseJsonObject } from "../../oci/json_fields.ts";
import { OCI_INDEX } from "../../oci/media_types.ts";
import { parseIndex } from "../../oci/parse_manifest.ts";
import { writeFileAtomically } from "../../system/files/atomic_file.ts";
import { waitForLease } from "../../system/files/lease.ts";
import type { Descriptor } from "../../types/image.ts";
import { withPath } from "../read_document.ts";
import { REF_NAME } from "./choose_entries.ts";

const LOCK = ".denroot-index.lock";
const MARKER = '{"imageLayoutVersion":"1.0.0"}';
const READABLE_BY_ALL = { mode: 0o644 };

/**
 * Adds an image to the index, under `tag` if there is one: an image that had the tag loses it, as
 * every tool does it. Writers take turns, so none removes what another one adds.
 */
export async function addToIndex(
  root: string,
  image: Pick<Descriptor, "mediaType" | "digest" | "size">,
  tag: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const lease = await waitForLease(path.join(root, LOCK), { signal });
  try {
    const index = readIndex(root);
    const others = index.manifests.filter((entry) => !isReplaced(entry, image.digest, tag));
    const entry = { ...image, ...(tag !== undefined && { annotations: { [REF_NAME]: tag } }) };
    const text = JSON.stringify({ ...index, manifests: [...others, entry] });
    if (!fs.existsSync(path.join(root, "oci-layout"))) {
      await write(path.join(root, "oci-layout"), MARKER);
    }
    await write(path.join(root, "index.json"), text);
  } finally {
    lease.release();
  }
}

interface IndexFile extends JsonObject {
  readonly manifests: readonly unknown[];
}

/** The whole file, with fields that are not known here. */
function readIndex(root: string): IndexFile {
  const file = path.join(root, "index.json");
  let bytes: Uint8Array;
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] };
  }
  withPath(file, () => parseIndex(bytes));
  return parseJsonObject(bytes, file) as IndexFile;
}

function isReplaced(entry: unknown, digest: string, tag: string | undefined): boolean {
  if (!isObject(entry)) return false;
  const name = isObject(entry.annotations) ? entry.annotations[REF_NAME] : undefined;
  return tag === undefined ? name === undefined && entry.digest === digest : name === tag;
}

async function write(file: string, text: string): Promise<void> {
  await writeFileAtomically(file, new TextEncoder().encode(text), READABLE_BY_ALL);
}
