/** What one place has of an image: its documents, and the blobs that these name. */

import type { ImageContext } from "../image/image_options.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Descriptor, Digest, Platform, StoredDocument } from "../types/image.ts";
import type { ImageSource } from "../types/source.ts";
import { chooseRoot } from "./choose_root.ts";
import {
  blobsOf,
  descriptorOf,
  type DocumentTree,
  type OnFault,
  readTree,
  unlessFaulty,
} from "./image_tree.ts";
import { type NamedDocument, readReferrers } from "./read_referrers.ts";
import { contentOfNode } from "./rewrite_image.ts";

export interface PlaceContent {
  /** The document that the reference names, or one for each platform that was asked for. */
  readonly roots: readonly StoredDocument[];
  /** The documents below the roots, and then what refers to them. */
  readonly tree: DocumentTree;
  /** The digests of those that are below the roots. */
  readonly own: ReadonlySet<Digest>;
  /** What refers to the image by its tag. */
  readonly named: readonly NamedDocument[];
  /** The blobs, each once, in the form that the place has them. */
  readonly blobs: readonly Descriptor[];
}

export interface PlaceOptions {
  readonly platforms: readonly Platform[];
  readonly withReferrers: boolean;
  /** Gets what is missing or broken below the roots. */
  readonly onFault: OnFault;
}

/** Throws what the source throws for a root, and for failures that concern more than one document. */
export async function readPlace(
  source: ImageSource,
  { platforms, withReferrers, onFault }: PlaceOptions,
  context: ImageContext & SourceContext,
): Promise<PlaceContent> {
  const { signal, onProgress, settings: { maxConnections: connections } } = context;
  // All platforms are chosen from one answer: a tag may move meanwhile.
  const answer = await source.root(signal);
  const chosen = platforms.length === 0
    ? [await chooseRoot(source, answer, [], context)]
    : await Promise.all(platforms.map((one) => chooseRoot(source, answer, [one], context)));
  const roots = chosen.map(({ root }) => root);
  const tree: DocumentTree = new Map();
  for (const root of roots) {
    if (!tree.has(root.digest)) {
      await readTree(root, source, tree, { connections, signal, onFault });
    }
  }
  const own = new Set(tree.keys());
  const named = withReferrers
    ? await readReferrers(tree, source, { connections, signal, onProgress, onFault })
    : [];
  return { roots, tree, own, named, blobs: await storedBlobs(tree, source, onFault, signal) };
}

/** A place that keeps layers unpacked has them under their diffIDs. */
async function storedBlobs(
  tree: DocumentTree,
  source: ImageSource,
  onFault: OnFault,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  if (source.contentOf === undefined) return blobsOf(tree);
  const stored: DocumentTree = new Map();
  for (const [digest, node] of tree) {
    if (node.manifest === undefined) continue;
    const entry = descriptorOf(node.document);
    const content = await unlessFaulty(entry, () => contentOfNode(node, source, signal), onFault);
    // An artifact without a configuration is stored as it is.
    const { config, layers } = content ?? node.manifest;
    stored.set(digest, {
      ...node,
      manifest: { ...node.manifest, ...(config && { config }), layers },
    });
  }
  return blobsOf(stored);
}
