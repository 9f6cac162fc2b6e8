/** Lists the manifests of a repository that can be found: by its tags, and from there on. */

import { type ImageContext, type ImageOptions, withSource } from "../image/image_options.ts";
import { readConfig } from "../image/read_config.ts";
import { isConfigType } from "../oci/media_types.ts";
import { parseConfig } from "../oci/parse_config.ts";
import { parseReference } from "../reference/parse_reference.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Digest, ImageConfig } from "../types/image.ts";
import type { ImageSource } from "../types/source.ts";
import {
  descriptorOf,
  type DocumentTree,
  type OnFault,
  readTree,
  type TreeNode,
  unlessFaulty,
} from "./image_tree.ts";
import { inParallel } from "./in_parallel.ts";
import { readReferrers } from "./read_referrers.ts";
import { contentOfNode } from "./rewrite_image.ts";
import { documentsOf, namesOneImage, readTagRoots, type TagRoot } from "./tag_roots.ts";

export interface ManifestOptions extends ImageOptions {
  /** Whether what refers to each manifest is not asked for. */
  readonly withoutReferrers?: boolean | undefined;
}

/** What is known about a manifest or an index. */
export interface ManifestDescription {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Empty for one that an index lists, or that refers to another one. */
  readonly tags: readonly string[];
  /** The stored bytes of the configuration and layers; those of all images of an index, each once. */
  readonly imageSize: number;
  /** An RFC 3339 time, unchanged from the image: the time when it was built. */
  readonly createdTime?: string;
  readonly architecture?: string;
  readonly os?: string;
  readonly configMediaType?: string;
  readonly artifactType?: string;
  /** The digest of the manifest that this one refers to. */
  readonly subject?: Digest;
  /** How many others of the list it stands below: an index that lists it, what it refers to. */
  readonly depth: number;
}

/**
 * Lists the manifests of the place that `uri` names, or of one image when it has a tag or a digest.
 * Below each manifest comes what it lists, and what refers to it. One without a tag that nothing leads
 * to cannot be found: the protocol has no list of these.
 *
 * What is broken is told as a warning, and left out. Throws code `limit` for more than 10,000 tags.
 */
export async function listManifests(
  uri: string,
  options: ManifestOptions = {},
): Promise<readonly ManifestDescription[]> {
  const reference = parseReference(uri);
  return await withSource(reference, options, async (source, context) => {
    const roots = await findRoots(uri, source, context);
    const { signal, settings: { maxConnections } } = context;
    const found = await inParallel(roots, maxConnections, signal, async (root, signal) => {
      const own = { ...context, signal };
      const tree = await treeBelow(root, options, own);
      return { root, tree, configs: await readConfigs(tree, root.source, own) };
    });
    const list: List = { tags: new Map(), listed: new Map() };
    for (const { document, tags } of roots) list.tags.set(document.digest, tags);
    for (const { root, tree, configs } of found) {
      addTo(list, { digest: root.document.digest, depth: 0, tree, configs });
    }
    return [...list.listed.values()];
  });
}

async function findRoots(
  uri: string,
  source: ImageSource,
  context: ImageContext,
): Promise<readonly TagRoot[]> {
  const { signal, onProgress } = context;
  const { tags, at, reference } = source;
  if (!namesOneImage(uri, reference) && tags !== undefined && at !== undefined) {
    const named = source as ImageSource & Required<Pick<ImageSource, "tags" | "at">>;
    return await readTagRoots(named, context, (tag, { message }) => {
      onProgress({ type: "log", level: "warn", message: `${tag} is left out: ${message}` });
    });
  }
  const documents = await documentsOf(await source.root(signal), source, signal);
  const tag = "tag" in reference ? reference.tag : undefined;
  return documents.map((document) => ({ document, tags: tag === undefined ? [] : [tag], source }));
}

/** One request after the other: several roots are read at the same time. */
async function treeBelow(
  { document, source }: TagRoot,
  { withoutReferrers }: ManifestOptions,
  context: ImageContext,
): Promise<DocumentTree> {
  const { signal, onProgress } = context;
  const tree: DocumentTree = new Map();
  const shared = { connections: 1, signal, onFault: warnTo(context) };
  await readTree(document, source, tree, shared);
  if (!withoutReferrers) {
    // Signatures with tags of their own are in the list by these tags.
    await readReferrers(tree, source, { ...shared, onProgress, hasTag: () => false });
  }
  return tree;
}

type Configs = ReadonlyMap<Digest, ImageConfig>;

/** The configurations of the tree's images, by the digests of their manifests. */
async function readConfigs(
  tree: DocumentTree,
  source: ImageSource,
  context: ImageContext & SourceContext,
): Promise<Configs> {
  const { signal } = context;
  const configs = new Map<Digest, ImageConfig>();
  for (const [digest, node] of tree) {
    if (!isConfigType(node.manifest?.config?.mediaType ?? "")) continue;
    const read = async () => {
      const content = await contentOfNode(node, source, signal);
      return parseConfig(await readConfig(source, content!, context));
    };
    const config = await unlessFaulty(descriptorOf(node.document), read, warnTo(context));
    if (config !== undefined) configs.set(digest, config);
  }
  return configs;
}

function warnTo({ onProgress }: ImageContext): OnFault {
  return (_, { message }) => onProgress({ type: "log", level: "warn", message });
}

interface List {
  readonly tags: Map<Digest, readonly string[]>;
  readonly listed: Map<Digest, ManifestDescription>;
}

/** Adds a manifest with all that is below it; each one is listed once. */
function addTo(list: List, { digest, depth, tree, configs }: {
  readonly digest: Digest;
  readonly depth: number;
  readonly tree: DocumentTree;
  readonly configs: Configs;
}): void {
  const node = tree.get(digest);
  if (node === undefined || list.listed.has(digest)) return;
  const tags = list.tags.get(digest) ?? [];
  const imageSize = sizeBelow(node, tree);
  list.listed.set(digest, { ...describe(node, configs.get(digest)), tags, imageSize, depth });
  const referring = [...tree].filter(([, { manifest }]) => manifest?.subject?.digest === digest);
  for (
    const below of [
      ...node.children.map(({ digest }) => digest),
      ...referring.map(([d]) => d),
    ]
  ) {
    addTo(list, { digest: below, depth: depth + 1, tree, configs });
  }
}

function describe(
  { document: { digest, mediaType }, manifest }: TreeNode,
  { created, architecture, os }: Partial<ImageConfig> = {},
): Omit<ManifestDescription, "tags" | "imageSize" | "depth"> {
  const { config, artifactType, subject } = manifest ?? {};
  return {
    digest,
    mediaType,
    ...(created !== undefined && { createdTime: created }),
    ...(architecture && { architecture }),
    ...(os && { os }),
    ...(config && { configMediaType: config.mediaType }),
    ...(artifactType !== undefined && { artifactType }),
    ...(subject && { subject: subject.digest }),
  };
}

function sizeBelow(node: TreeNode, tree: DocumentTree): number {
  const sizes = new Map<Digest, number>();
  const add = ({ manifest, children }: TreeNode) => {
    const blobs = [...manifest?.layers ?? [], ...(manifest?.config ? [manifest.config] : [])];
    for (const { digest, size } of blobs) sizes.set(digest, size);
    // A digest covers what it names, so no index can lead back to itself.
    for (const { digest } of children) if (tree.has(digest)) add(tree.get(digest)!);
  };
  add(node);
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
