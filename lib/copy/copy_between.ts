/** Copies one image from an open source to an open destination. */

import { DenrootError, hasCode, messageOf } from "../errors.ts";
import type { ImageContext } from "../image/image_options.ts";
import { requireImage } from "../oci/require_image.ts";
import { parsePlatform } from "../oci/architecture.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Digest, Platform, StoredDocument } from "../types/image.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageDestination, ImageSource } from "../types/source.ts";
import { chooseRoot, type ChosenRoot } from "./choose_root.ts";
import type { CopyOptions, CopyResult } from "./copy_image.ts";
import { blobsOf, type DocumentTree, readTree } from "./image_tree.ts";
import type { CopyBlob, CopyCache } from "./open_stored_blob.ts";
import { putDocuments } from "./put_documents.ts";
import { type NamedDocument, readReferrers } from "./read_referrers.ts";
import { contentOfNode, rewriteImage } from "./rewrite_image.ts";
import type { MadeLayer } from "./compress_layer.ts";
import { type CopiedBlob, sendBlobs } from "./send_blobs.ts";

/** One image on its way. Many of them may share a source, a destination and a cache. */
export interface CopyJob {
  /** Made by `asSourceSide()`. */
  readonly source: ImageSource;
  /** Made by `asDestinationSide()`. */
  readonly destination: ImageDestination;
  readonly options: CopyOptions;
  readonly cache: CopyCache;
  /** What the destination was opened for. */
  readonly target: Reference;
  readonly context: ImageContext & SourceContext;
}

export type CopiedImage = Omit<CopyResult, "source" | "destination" | "seconds">;

/**
 * What the destination lacks is sent: blobs, then documents, children first, then what refers to them;
 * the name comes last. The source's tag is read once, and everything after goes by digest.
 */
export async function copyBetween(job: CopyJob): Promise<CopiedImage> {
  const { source, options, context } = job;
  const isPlatformAsked = context.isPlatformAsked || (options.platforms ?? []).length > 0;
  const keepsIndex = options.sparse === true && !job.destination.takesOnlyImages;
  const choice = { ...context, isPlatformAsked, keepsIndex };
  const chosen = await chooseRoot(
    source,
    await source.root(context.signal),
    platformsFor(job),
    choice,
  );
  const holders = await currentHolders(job);
  if (isDone(chosen.root, holders, options)) return nothingToDo(chosen, chosen.root);
  const image = await makeImage(chosen, job);
  try {
    const names = job.destination.currentId ? await engineHolders(image, job) : holders;
    if (isDone(image.root, names, options)) return nothingToDo(chosen, image.root);
    requireFree(image.root, names, job);
    if (job.destination.takesOnlyImages) requireImage(image.tree.get(image.root.digest)!.manifest!);
    announce(chosen, image.root, job);
    const named = await addReferrers(image.tree, job);
    const blobs = await sendImageBlobs(image, job);
    if (!options.dryRun) await putAndName(image, named, job);
    return { ...digests(chosen, image.root), blobs, bytes: bytesSent(blobs) };
  } finally {
    await image.release();
  }
}

interface MadeImage {
  readonly root: StoredDocument;
  readonly tree: DocumentTree;
  /** Blobs that were made anew, by their digests. */
  readonly made: ReadonlyMap<Digest, CopyBlob>;
  /** Removes what was made, unless the cache is to keep it. */
  release(): Promise<void>;
}

/** Reads the documents, and changes them where that was asked for or cannot be avoided. */
async function makeImage(
  { root, isWanted }: ChosenRoot,
  { source, destination, options, cache, context: { signal, settings, onProgress } }: CopyJob,
): Promise<MadeImage> {
  const connections = settings.maxConnections;
  const tree: DocumentTree = new Map();
  await readTree(root, source, tree, { connections, signal, ...(isWanted && { isWanted }) });
  const made = new Map<Digest, CopyBlob>();
  const layers = new Map<Digest, Promise<MadeLayer>>();
  const release = async () => {
    if (options.keepInCache) return;
    for (const layer of await Promise.allSettled(layers.values())) {
      if (layer.status === "fulfilled") layer.value.remove();
    }
  };
  const noZstd = destination.takesOnlyImages === true;
  const changes = { format: options.format, compression: options.compression, noZstd };
  const sparse = options.sparse ?? false;
  try {
    const rewriting = { source, cache, changes, made, layers, sparse, onProgress, signal };
    return { ...await rewriteImage(root, tree, rewriting), made, release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** An engine takes one platform: without a choice, this machine's. */
function platformsFor({ destination, options, context }: CopyJob): readonly Platform[] {
  const { platforms = [], architecture } = options;
  const asked = platforms.map(parsePlatform);
  if (architecture !== undefined) asked.push(context.platform);
  if (!destination.takesOnlyImages) return asked;
  if (asked.length > 1) {
    throw new DenrootError("usage", `${destination.uri} takes an image for one platform only`);
  }
  return asked.length > 0 ? asked : [context.platform];
}

/** What refers to an image comes with it, where the destination can hold that. */
async function addReferrers(
  tree: DocumentTree,
  { source, destination, options, context }: CopyJob,
): Promise<readonly NamedDocument[]> {
  if (options.withoutReferrers || destination.takesOnlyImages) return [];
  const { signal, onProgress, settings: { maxConnections: connections } } = context;
  const own = new Set(tree.keys());
  const named = await readReferrers(tree, source, { connections, signal, onProgress });
  for (const [digest, node] of tree) {
    if (!own.has(digest)) await contentOfNode(node, source, signal);
  }
  if (named.length === 0 || destination.at !== undefined) return named;
  const message = `${destination.uri} has no room for tags: ${
    named.map(({ tag }) => tag).join(", ")
  } stay behind`;
  onProgress({ type: "log", level: "warn", message });
  return [];
}

async function sendImageBlobs(
  { tree, made }: MadeImage,
  job: CopyJob,
): Promise<readonly CopiedBlob[]> {
  const { options, context: { signal, onProgress, settings } } = job;
  const blobs = blobsOf(tree).map((descriptor) => made.get(descriptor.digest) ?? { descriptor });
  return await sendBlobs(blobs, {
    ...job,
    mountFrom: [...repositoryBeside(job), ...options.fromRepositories ?? []],
    dryRun: options.dryRun ?? false,
    connections: settings.maxConnections,
    onProgress,
    signal,
  });
}

/** The source's repository, when it is in the registry of the destination. */
function repositoryBeside({ source: { reference }, target }: CopyJob): readonly string[] {
  const isBeside = reference.scheme === "docker" && target.scheme === "docker" &&
    reference.registry === target.registry && reference.repository !== target.repository;
  return isBeside ? [reference.repository] : [];
}

/** What refers to the image gets its tags first, so that nobody sees the image without it. */
async function putAndName(
  { root, tree }: MadeImage,
  named: readonly NamedDocument[],
  { destination, options, context: { signal, settings, onProgress } }: CopyJob,
): Promise<void> {
  const isReferred = [...tree.values()].some(({ manifest }) => manifest?.subject !== undefined);
  const before = new Map(tree);
  if (destination.commitStoresRoot && !isReferred) before.delete(root.digest);
  await putDocuments(before, destination, { connections: settings.maxConnections, signal });
  const { force = false, replace = force, furtherTags = [] } = options;
  for (const { tag, document } of named) {
    try {
      await destination.at!(tag).commit(document, { replace: force, furtherTags: [] }, signal);
    } catch (error) {
      // The destination may have signatures of its own there: they are not to be lost.
      if (!hasCode(error, "exists")) throw error;
      const message = `${messageOf(error)}; it stays. --force replaces it`;
      onProgress({ type: "log", level: "warn", message });
    }
  }
  await destination.commit(root, { replace, furtherTags }, signal);
}

/** Who has the names now, by their URIs. */
type Holders = ReadonlyMap<string, Digest | undefined>;

async function currentHolders(job: CopyJob): Promise<Holders> {
  const holders = new Map<string, Digest | undefined>();
  for (const place of placesOf(job)) {
    holders.set(place.uri, await place.current(job.context.signal));
  }
  return holders;
}

/** The image itself has a name when the engine's image has the same configuration. */
async function engineHolders({ root, tree }: MadeImage, job: CopyJob): Promise<Holders> {
  const ids = [root.digest, tree.get(root.digest)?.manifest?.config?.digest];
  const holders = new Map<string, Digest | undefined>();
  for (const place of placesOf(job)) {
    const id = await place.currentId?.(job.context.signal);
    holders.set(place.uri, id !== undefined && ids.includes(id) ? root.digest : id);
  }
  return holders;
}

function placesOf({ destination, options }: CopyJob): readonly ImageDestination[] {
  const { furtherTags = [] } = options;
  return [destination, ...furtherTags.map((tag) => placeAt(destination, tag))];
}

function placeAt(destination: ImageDestination, tag: string): ImageDestination {
  const place = destination.at?.(tag);
  if (place !== undefined) return place;
  throw new DenrootError("usage", `${destination.uri} has no room for further tags`);
}

/**
 * Names come last: when all of them are the image's, everything below it is there. Only a sparse index
 * may lack the platforms that are asked for now.
 */
function isDone(root: StoredDocument, holders: Holders, { force, sparse }: CopyOptions): boolean {
  return !force && !sparse && [...holders.values()].every((digest) => digest === root.digest);
}

function requireFree(
  { digest }: StoredDocument,
  holders: Holders,
  { destination, target, options }: CopyJob,
): void {
  const expected = "digest" in target ? target.digest : undefined;
  if (expected !== undefined && expected !== digest) {
    throw new DenrootError(
      "digest",
      `${destination.uri} is to be an image with the digest ${digest}`,
    );
  }
  if (options.force || options.replace) return;
  const taken = [...holders].find(([, holder]) => holder !== undefined && holder !== digest);
  if (taken === undefined) return;
  throw new DenrootError("exists", `${taken[0]} is another image: ${taken[1]}, not ${digest}`, {
    hint: "Choose another tag, or replace the image with --force",
  });
}

function announce({ sourceDigest }: ChosenRoot, { digest }: StoredDocument, job: CopyJob): void {
  if (sourceDigest === digest) return;
  const { uri } = job.source;
  const was = sourceDigest === undefined ? "had no digest" : `was ${sourceDigest}`;
  const message = `The digest changes: ${uri} ${was}, and the copy is ${digest}`;
  job.context.onProgress({ type: "log", level: "info", message });
}

function nothingToDo(chosen: ChosenRoot, root: StoredDocument): CopiedImage {
  return { ...digests(chosen, root), blobs: [], bytes: 0 };
}

function digests(
  { sourceDigest }: ChosenRoot,
  { digest }: StoredDocument,
): Pick<CopiedImage, "sourceDigest" | "digest"> {
  return { ...(sourceDigest !== undefined && { sourceDigest }), digest };
}

function bytesSent(blobs: readonly CopiedBlob[]): number {
  return blobs.filter(({ fate }) => fate === "sent" || fate === "missing")
    .reduce((sum, { size }) => sum + size, 0);
}
