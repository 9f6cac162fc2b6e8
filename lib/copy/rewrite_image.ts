/** Changes an image on its way: some platforms, another format or compression. Digests follow. */

import { DenrootError } from "../errors.ts";
import { digestOf } from "../oci/digest.ts";
import { isObject, type JsonObject, parseJsonObject } from "../oci/json_fields.ts";
import { isConfigType } from "../oci/media_types.ts";
import type { Digest, StoredDocument } from "../types/image.ts";
import type { DocumentSource, ImageContent, ImageSource } from "../types/source.ts";
import { ATTESTED } from "./choose_root.ts";
import { formatOf, INDEX_TYPES } from "./image_format.ts";
import {
  descriptorOf,
  type DocumentTree,
  heightsOf,
  readTree,
  type TreeNode,
} from "./image_tree.ts";
import { type RewriteContext, rewriteManifest } from "./rewrite_manifest.ts";

export interface RewriteOptions extends RewriteContext {
  /** Whether an index keeps entries that are not copied: it stays byte for byte. */
  readonly sparse: boolean;
}

export interface RewrittenImage {
  readonly root: StoredDocument;
  readonly tree: DocumentTree;
}

/**
 * Gives the tree and root that the destination gets: the same ones when nothing has to change.
 *
 * Throws code `unsupported` for what Docker's format cannot hold.
 */
export async function rewriteImage(
  root: StoredDocument,
  tree: DocumentTree,
  options: RewriteOptions,
): Promise<RewrittenImage> {
  const heights = heightsOf(tree);
  const order = [...tree.values()].sort((one, other) =>
    heights.get(one.document.digest)! - heights.get(other.document.digest)!
  );
  const changed = new Map<Digest, StoredDocument | undefined>();
  for (const node of order) {
    changed.set(
      node.document.digest,
      node.manifest === undefined
        ? rewriteIndex(node, changed, options)
        : await rewriteNode(node, node.document.digest === root.digest, options),
    );
  }
  const newRoot = changed.get(root.digest)!;
  if ([...changed].every(([digest, document]) => document?.digest === digest)) {
    return { root, tree };
  }
  return { root: newRoot, tree: await treeOf(newRoot, changed, options) };
}

/** What the source gives instead of the manifest's own blobs, if it does. */
export async function contentOfNode(
  { document, manifest }: TreeNode,
  source: ImageSource,
  signal: AbortSignal,
): Promise<ImageContent | undefined> {
  const config = manifest?.config;
  if (manifest === undefined || config === undefined) return undefined;
  const { digest } = document;
  const image = { digest, manifest: { ...manifest, config }, documents: [document] };
  return await source.contentOf?.(image, signal) ?? image.manifest;
}

/** Undefined for an attestation that Docker's format cannot hold: it is left out. */
async function rewriteNode(
  node: TreeNode,
  isRoot: boolean,
  options: RewriteOptions,
): Promise<StoredDocument | undefined> {
  const { document, manifest } = node;
  const content = await contentOfNode(node, options.source, options.signal);
  const isImage = isConfigType(manifest!.config?.mediaType ?? "") &&
    manifest!.layers.every(({ mediaType }) => !mediaType.startsWith("application/vnd.in-toto"));
  if (content !== undefined && isImage) {
    return await rewriteManifest(document, manifest!, content, options);
  }
  if (options.changes.format !== "docker") return document;
  if (!isRoot) return undefined;
  throw new DenrootError("unsupported", "Docker's format holds no artifacts, only images", {
    hint: "Copy it without --format",
  });
}

function rewriteIndex(
  { document, children }: TreeNode,
  changed: ReadonlyMap<Digest, StoredDocument | undefined>,
  { changes, sparse }: RewriteOptions,
): StoredDocument {
  const old = parseJsonObject(document.bytes, "The index");
  const entries = (Array.isArray(old.manifests) ? old.manifests : []) as readonly JsonObject[];
  const isKept = (digest: unknown) => children.some((child) => child.digest === digest);
  const isSame = (sparse || entries.every(({ digest }) => isKept(digest))) &&
    children.every(({ digest }) => changed.get(digest)?.digest === digest);
  const format = changes.format ?? formatOf(document.mediaType);
  if (isSame && format === formatOf(document.mediaType)) return document;
  const isDocker = format === "docker";
  const manifests = entries.filter(({ digest }) => isKept(digest)).flatMap((entry) => {
    const document = changed.get(entry.digest as Digest);
    return document === undefined ? [] : [rewriteEntry(entry, document, changed, isDocker)];
  });
  const mediaType = INDEX_TYPES[format];
  const index = { ...(isDocker ? { schemaVersion: 2 } : old), mediaType, manifests };
  const bytes = new TextEncoder().encode(JSON.stringify(index));
  return { mediaType, digest: digestOf(bytes), bytes };
}

function rewriteEntry(
  entry: JsonObject,
  document: StoredDocument,
  changed: ReadonlyMap<Digest, StoredDocument | undefined>,
  isDocker: boolean,
): JsonObject {
  if (isDocker) return { ...descriptorOf(document), platform: entry.platform };
  const { annotations } = entry;
  const attested = isObject(annotations) ? changed.get(String(annotations[ATTESTED])) : undefined;
  return {
    ...entry,
    ...descriptorOf(document),
    ...(attested && { annotations: { ...annotations as object, [ATTESTED]: attested.digest } }),
  };
}

/** Reads the new documents from memory, as others are read from a source. */
async function treeOf(
  root: StoredDocument,
  changed: ReadonlyMap<Digest, StoredDocument | undefined>,
  { source, signal }: RewriteContext,
): Promise<DocumentTree> {
  const documents = new Map<Digest, StoredDocument>();
  for (const document of changed.values()) {
    if (document !== undefined) documents.set(document.digest, document);
  }
  const inMemory: DocumentSource = {
    uri: source.uri,
    document: ({ digest }) => Promise.resolve(documents.get(digest)!),
  };
  const tree: DocumentTree = new Map();
  await readTree(root, inMemory, tree, { connections: 1, signal });
  return tree;
}
