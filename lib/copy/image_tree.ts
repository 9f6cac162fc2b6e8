/** All documents of an image, from its root down, in memory. */

import { DenrootError, type ErrorCode } from "../errors.ts";
import { isUsable } from "../oci/choose_platform.ts";
import { MAX_INDEX_DEPTH, parseManifestOrIndex } from "../oci/parse_manifest.ts";
import { plainText } from "../text/quote_text.ts";
import type { Descriptor, Digest, IndexEntry, Manifest, StoredDocument } from "../types/image.ts";
import type { DocumentSource } from "../types/source.ts";
import { inParallel } from "./in_parallel.ts";

/** The documents of one image and of what refers to it may have this many bytes together. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;

export interface TreeNode {
  readonly document: StoredDocument;
  /** What an index lists, as far as it is copied; empty for a manifest. */
  readonly children: readonly Descriptor[];
  /** Absent for an index. */
  readonly manifest?: Manifest;
}

/** Documents by their digests. */
export type DocumentTree = Map<Digest, TreeNode>;

export interface TreeOptions {
  readonly connections: number;
  readonly signal: AbortSignal;
  /** Whether an entry of an index is copied. All of them are when it is absent. */
  readonly isWanted?: (entry: IndexEntry) => boolean;
  /**
   * Gets an entry that is broken, or whose document is missing or wrong, and it is left out. Without
   * this the error is thrown.
   */
  readonly onFault?: OnFault | undefined;
}

export type OnFault = (entry: IndexEntry, error: DenrootError) => void;

/**
 * Reads what `root` leads to, and adds it to `tree`. Documents that are in the tree are not read
 * again.
 *
 * Throws the fault of an index's entry that cannot be used, `limit` when indexes are nested too deep or
 * the documents are too large together, and what the source throws.
 */
export async function readTree(
  root: StoredDocument,
  source: DocumentSource,
  tree: DocumentTree,
  options: TreeOptions,
): Promise<void> {
  const { connections, signal } = options;
  let level: readonly StoredDocument[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_INDEX_DEPTH) throw tooDeep(source);
    const entries = new Map<Digest, Descriptor>();
    for (const document of level) {
      const node = toNode(document, options);
      tree.set(document.digest, node);
      for (const child of node.children) entries.set(child.digest, child);
    }
    checkSize(tree, source);
    const missing = [...entries.values()].filter(({ digest }) => !tree.has(digest));
    const found = await inParallel(
      missing,
      connections,
      signal,
      (entry, signal) => unlessFaulty(entry, () => source.document(entry, signal), options.onFault),
    );
    level = found.filter((document) => document !== undefined);
  }
}

/** The errors that concern one document or blob, and not its whole place. */
const FAULTS: ReadonlySet<ErrorCode> = new Set([
  "digest",
  "file",
  "layer",
  "limit",
  "manifest",
  "not_found",
  "unsupported",
]);

/** The result, or undefined after `onFault` got the error. Other errors are thrown. */
export async function unlessFaulty<T>(
  entry: IndexEntry,
  read: () => Promise<T>,
  onFault: OnFault | undefined,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (onFault === undefined || !(error instanceof DenrootError) || !FAULTS.has(error.code)) {
      throw error;
    }
    onFault(entry, error);
    return undefined;
  }
}

/** Children before their parents, and subjects before what refers to them: 0 for those without. */
export function heightsOf(tree: DocumentTree): ReadonlyMap<Digest, number> {
  const heights = new Map<Digest, number>();
  const heightOf = (digest: Digest): number => {
    const known = heights.get(digest);
    if (known !== undefined) return known;
    const node = tree.get(digest);
    if (node === undefined) return -1;
    // A digest covers what it names, so no document can lead back to itself.
    const below = [...node.children, ...(node.manifest?.subject ? [node.manifest.subject] : [])];
    const height = 1 + below.reduce((most, { digest }) => Math.max(most, heightOf(digest)), -1);
    heights.set(digest, height);
    return height;
  };
  for (const digest of tree.keys()) heightOf(digest);
  return heights;
}

/** The configurations and layers that the documents name, each once, the largest first. */
export function blobsOf(tree: DocumentTree): readonly Descriptor[] {
  const blobs = new Map<Digest, Descriptor>();
  for (const { manifest } of tree.values()) {
    if (manifest === undefined) continue;
    for (const blob of [...manifest.layers, ...(manifest.config ? [manifest.config] : [])]) {
      const known = blobs.get(blob.digest);
      if (known !== undefined && known.size !== blob.size) throw twoSizes(blob, known);
      // The one with addresses to fetch it from helps more.
      if (known?.urls === undefined) blobs.set(blob.digest, blob);
    }
  }
  return [...blobs.values()].sort((one, other) => other.size - one.size);
}

export function descriptorOf({ mediaType, digest, bytes }: StoredDocument): Descriptor {
  return { mediaType, digest, size: bytes.length };
}

function toNode(
  document: StoredDocument,
  { isWanted = () => true, onFault }: TreeOptions,
): TreeNode {
  const parsed = parseManifestOrIndex(document.bytes, document.mediaType);
  if (parsed.kind === "manifest") return { document, children: [], manifest: parsed.manifest };
  const children = parsed.index.manifests.filter(isWanted);
  const broken = children.filter((entry) => !isUsable(entry));
  for (const entry of broken) {
    const error = unusable(document, entry);
    if (onFault === undefined) throw error;
    onFault(entry, error);
  }
  return { document, children: broken.length === 0 ? children : children.filter(isUsable) };
}

function checkSize(tree: DocumentTree, source: DocumentSource): void {
  const size = [...tree.values()].reduce((sum, { document }) => sum + document.bytes.length, 0);
  if (size <= MAX_DOCUMENT_BYTES) return;
  throw new DenrootError(
    "limit",
    `The indexes and manifests of ${plainText(source.uri, 300)} have more than ` +
      `${MAX_DOCUMENT_BYTES / 2 ** 20} MiB`,
  );
}

function unusable({ digest }: StoredDocument, { fault }: IndexEntry): DenrootError {
  return new DenrootError(
    "manifest",
    `The index ${digest} has an entry that cannot be copied: ${fault?.message}`,
    {
      cause: fault,
      hint: "Choose the platforms to copy with --platform; with --sparse the index stays as it is",
    },
  );
}

function tooDeep({ uri }: DocumentSource): DenrootError {
  return new DenrootError(
    "limit",
    `${plainText(uri, 300)} has more than ${MAX_INDEX_DEPTH} indexes, one inside the other`,
  );
}

function twoSizes({ digest, size }: Descriptor, known: Descriptor): DenrootError {
  return new DenrootError(
    "manifest",
    `The image's manifests give two sizes for the blob ${digest}: ${known.size} and ${size}`,
  );
}
