/** Removes the tags that a list no longer names from the repositories that it fills. */

import { type DocumentTree, type OnFault, readTree } from "../copy/image_tree.ts";
import { inParallel } from "../copy/in_parallel.ts";
import { contextOf, type SideOptions } from "../copy/side_options.ts";
import { DenrootError, hasCode, messageOf } from "../errors.ts";
import type { ImageContext } from "../image/image_options.ts";
import { isReferrerTag, refersByTag } from "../oci/referrer_tags.ts";
import { formatReference } from "../reference/format_reference.ts";
import { readCatalog } from "../transport/registry/catalog.ts";
import { openConnections, type RegistryConnections } from "../transport/registry/connections.ts";
import { openRegistry } from "../transport/registry/source.ts";
import { openRegistryDestination } from "../transport/registry/write/destination.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Descriptor, Digest } from "../types/image.ts";
import type { DockerReference } from "../types/reference.ts";
import type { RegistryTarget } from "./destination/parse_target.ts";

export interface KeptImage {
  readonly reference: DockerReference;
  /** What the tag is now. */
  readonly digest: Digest;
}

export interface PruneRegistryOptions {
  readonly side: SideOptions;
  /** Whether to remove these tags; asked once, unless there are none. */
  readonly confirm: (uris: readonly string[]) => Promise<boolean>;
  readonly context: ImageContext & SourceContext;
}

interface Pruned {
  readonly reference: DockerReference & { readonly tag: string };
  readonly digest: Digest;
  /** Whether an image that stays is this one, or lists it for a platform. */
  readonly isNeeded: boolean;
}

/**
 * `kept` is what the list names, all of it. Other repositories below the prefix belong to the list too,
 * where the registry lists them; without a prefix none does. Gives the URIs of the removed tags.
 *
 * A registry that deletes whole manifests only loses a manifest when no kept image has or lists it.
 */
export async function pruneRegistry(
  kept: readonly KeptImage[],
  target: RegistryTarget,
  { side, confirm, context }: PruneRegistryOptions,
): Promise<readonly string[]> {
  const own = contextOf(context, side);
  const connections = await openConnections(own);
  try {
    const run = { kept, target, context: { ...own, connections } };
    const pruned = await findPruned(run);
    const uris = pruned.map(({ reference }) => formatReference(reference));
    if (uris.length === 0 || !await confirm(uris)) return [];
    const removed: string[] = [];
    for (const one of pruned) {
      if (await remove(one, run.context)) removed.push(formatReference(one.reference));
    }
    return removed;
  } finally {
    connections.close();
  }
}

interface Run {
  readonly kept: readonly KeptImage[];
  readonly target: RegistryTarget;
  readonly context: ImageContext & SourceContext & { readonly connections: RegistryConnections };
}

async function findPruned(run: Run): Promise<readonly Pruned[]> {
  const { settings: { maxConnections }, signal } = run.context;
  const repositories = await repositoriesOf(run);
  const found = await inParallel(
    repositories,
    maxConnections,
    signal,
    (repository) => findIn(repository, run),
  );
  return found.flat();
}

async function repositoriesOf({ kept, target, context }: Run): Promise<readonly string[]> {
  const listed = kept.map(({ reference: { repository } }) => repository);
  const others: string[] = [];
  if (target.prefix !== "") {
    try {
      const all = await readCatalog(target, context);
      others.push(...all.filter((name) => name.startsWith(`${target.prefix}/`)));
    } catch (error) {
      if (hasCode(error, "aborted")) throw error;
      const message = `Repositories that the list no longer names stay: ${messageOf(error)}`;
      context.onProgress({ type: "log", level: "warn", message });
    }
  }
  return [...new Set([...listed, ...others])];
}

/** What refers to a pruned image by its tag goes with it. */
async function findIn(
  repository: string,
  { kept, target, context }: Run,
): Promise<readonly Pruned[]> {
  const { registry, user } = target;
  const reference = { scheme: "docker", registry, repository, ...(user && { user }) } as const;
  const here = kept.filter((one) => one.reference.repository === repository);
  const named = new Set(here.map((one) => one.reference.tag));
  const tags = await tagsOf({ ...reference, tag: "latest" }, context);
  await using place = await openRegistryDestination({ ...reference, tag: "latest" }, context);
  const found = async (tag: string) => {
    const digest = await place.at(tag).current(context.signal);
    return digest === undefined ? [] : [{ reference: { ...reference, tag }, digest }];
  };
  const pruned: Omit<Pruned, "isNeeded">[] = [];
  for (const tag of tags) {
    if (!named.has(tag) && !isReferrerTag(tag)) pruned.push(...await found(tag));
  }
  if (pruned.length === 0) return [];
  const digests = new Set(here.map(({ digest }) => digest));
  const needed = await documentsBelow(digests, { ...reference, tag: "latest" }, context);
  const gone = pruned.map(({ digest }) => digest).filter((digest) => !needed.has(digest));
  for (const tag of tags) {
    if (gone.some((digest) => refersByTag(tag, digest))) pruned.push(...await found(tag));
  }
  return pruned.map((one) => ({ ...one, isNeeded: needed.has(one.digest) }));
}

/** The images with these digests, and all that their indexes list, also what cannot be read. */
async function documentsBelow(
  digests: Iterable<Digest>,
  reference: DockerReference,
  context: ImageContext & SourceContext,
): Promise<ReadonlySet<Digest>> {
  const { settings: { maxConnections: connections }, signal } = context;
  await using source = await openRegistry(reference, { ...context, withoutMirrors: true });
  const documents = new Set<Digest>();
  for (const digest of digests) {
    const tree: DocumentTree = new Map();
    // Nobody has said how large it is.
    const root = await source.document({ digest, mediaType: "" } as Descriptor, signal);
    const onFault: OnFault = (entry) => documents.add(entry.digest);
    await readTree(root, source, tree, { connections, signal, onFault });
    for (const found of tree.keys()) documents.add(found);
  }
  return documents;
}

/** Empty for a repository that is gone. */
async function tagsOf(
  reference: DockerReference,
  context: ImageContext & SourceContext,
): Promise<readonly string[]> {
  await using source = await openRegistry(reference, { ...context, withoutMirrors: true });
  try {
    return await source.tags(context.signal);
  } catch (error) {
    if (hasCode(error, "not_found")) return [];
    throw error;
  }
}

async function remove(
  { reference, digest, isNeeded }: Pruned,
  context: ImageContext & SourceContext,
): Promise<boolean> {
  const { signal, onProgress } = context;
  await using place = await openRegistryDestination(reference, context);
  try {
    await place.deleteTag(reference.tag, signal);
    return true;
  } catch (error) {
    if (hasCode(error, "not_found")) return true;
    if (!hasCode(error, "unsupported")) throw error;
    if (!isNeeded) return await removeManifest(place, digest, signal);
    const message =
      `${formatReference(reference)} stays: the registry deletes whole images only, ` +
      "and an image of the list is this one, or has it for a platform";
    onProgress({ type: "log", level: "warn", message });
    return false;
  }
}

async function removeManifest(
  place: Awaited<ReturnType<typeof openRegistryDestination>>,
  digest: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await place.deleteManifest(digest, signal);
  } catch (error) {
    // Another of its tags took it along.
    if (!(error instanceof DenrootError) || error.code !== "not_found") throw error;
  }
  return true;
}
