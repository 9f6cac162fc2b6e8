/** Deletes a tag or a manifest from a registry. */

import { DenrootError, hasCode } from "../errors.ts";
import { type ImageContext, imageContext, type ImageOptions } from "../image/image_options.ts";
import { isUsable } from "../oci/choose_platform.ts";
import { parseManifestOrIndex } from "../oci/parse_manifest.ts";
import { formatReference } from "../reference/format_reference.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { openStore } from "../store/open_cache.ts";
import { plainText, quotePath } from "../text/quote_text.ts";
import { openRegistry } from "../transport/registry/source.ts";
import {
  openRegistryDestination,
  type RegistryDestination,
} from "../transport/registry/write/destination.ts";
import type { Digest, StoredDocument } from "../types/image.ts";
import type { DockerReference } from "../types/reference.ts";
import { namesOneImage, readTagRoots } from "./tag_roots.ts";

/** What is about to be deleted. */
export interface DeletePlan {
  /** The canonical reference, without a user. */
  readonly uri: string;
  readonly digest: Digest;
  /** Absent when the manifest itself is deleted, and with it all its tags. */
  readonly tag?: string;
  /** The tags that are lost with a manifest; undefined when the registry does not list its tags. */
  readonly tags?: readonly string[];
  /** The tags whose indexes list the manifest, and would miss it. */
  readonly indexes: readonly string[];
}

export interface DeleteOptions extends Omit<ImageOptions, "architecture"> {
  /** Whether to go on, once it is clear what is lost. Without it nobody is asked. */
  readonly confirm?: ((plan: DeletePlan) => Promise<boolean>) | undefined;
}

/**
 * Deletes the tag that `uri` names, or the manifest when it names a digest. Gives undefined when
 * `confirm` says no.
 *
 * Throws code `not_found` when there is none; `unsupported` where the registry forbids it, with the tags
 * that the manifest has when only whole manifests can be deleted; `usage` for a URI with neither tag nor
 * digest, or with both.
 */
export async function deleteImage(
  uri: string,
  options: DeleteOptions = {},
): Promise<DeletePlan | undefined> {
  const reference = deletable(uri);
  const context = await imageContext(options);
  const { signal } = context;
  await using registry = await openRegistryDestination(reference, context);
  const plan = await planOf(reference, registry, context);
  if (await options.confirm?.(plan) === false) return undefined;
  if (plan.tag === undefined) {
    await registry.deleteManifest(plan.digest, signal);
    return plan;
  }
  try {
    await registry.deleteTag(plan.tag, signal);
    return plan;
  } catch (error) {
    if (!hasCode(error, "unsupported")) throw error;
    const whole = { ...reference, tag: undefined, digest: plan.digest };
    throw onlyWhole(await holdersOf(whole, context), formatReference(whole), error);
  }
}

function deletable(uri: string): DockerReference {
  const reference = parseReference(uri);
  if (reference.scheme !== "docker") {
    throw new DenrootError("unsupported", `${quotePath(uri)} is not in a registry`, {
      hint: "Files and directories are deleted with rm, an engine's images with its own command",
    });
  }
  if (!namesOneImage(uri, reference)) {
    throw new DenrootError("usage", `${quotePath(uri)} does not say which tag to delete`, {
      hint: `Write ${quotePath(`${uri}:TAG`)}, or @ and the digest of a manifest`,
    });
  }
  if (reference.tag !== undefined && reference.digest !== undefined) {
    throw new DenrootError("usage", `${quotePath(uri)} names a tag and a digest`, {
      hint:
        "Name the tag to delete it alone, or the digest to delete the manifest with all its tags",
    });
  }
  const { shortName: _, ...named } = reference;
  return named;
}

async function planOf(
  reference: DockerReference,
  registry: RegistryDestination,
  context: ImageContext,
): Promise<DeletePlan> {
  const uri = formatReference(reference);
  const { tag, digest } = reference;
  if (digest !== undefined) {
    const known = { mediaType: "", digest, size: 0 };
    if (!await registry.hasDocument(known, context.signal)) throw notThere(uri);
    return { uri, digest, ...await holdersOf(reference, context) };
  }
  const current = await registry.current(context.signal);
  if (current === undefined) throw notThere(uri);
  return { uri, digest: current, tag: tag!, indexes: [] };
}

type Holders = Pick<DeletePlan, "tags" | "indexes">;

/** What needs the manifest with the reference's digest. */
async function holdersOf(
  { digest, ...reference }: DockerReference,
  context: ImageContext,
): Promise<Holders> {
  const { onProgress } = context;
  using blobs = openStore(context.settings, onProgress);
  await using source = await openRegistry(reference, { ...context, blobs, withoutMirrors: true });
  const warn = (text: string) => onProgress({ type: "log", level: "warn", message: text });
  try {
    const roots = await readTagRoots(source, context, (tag, { message }) => {
      warn(`What the tag ${plainText(tag)} stands for is not known: ${message}`);
    });
    const tagsOf = (isHolder: (document: StoredDocument) => boolean) =>
      roots.filter(({ document }) => isHolder(document)).flatMap(({ tags }) => tags);
    return {
      tags: tagsOf((document) => document.digest === digest),
      indexes: tagsOf((document) => lists(document, digest!)),
    };
  } catch (error) {
    if (!(error instanceof DenrootError) || error.code === "aborted") throw error;
    warn(`It is not known which tags the manifest has: ${error.message}`);
    return { indexes: [] };
  }
}

function lists({ bytes, mediaType }: StoredDocument, digest: Digest): boolean {
  const parsed = parseManifestOrIndex(bytes, mediaType);
  return parsed.kind === "index" &&
    parsed.index.manifests.some((entry) => isUsable(entry) && entry.digest === digest);
}

function notThere(uri: string): DenrootError {
  return new DenrootError("not_found", `${plainText(uri, 300)} is not there`, {
    hint: "denroot manifests lists what there is",
  });
}

/** Many registries delete manifests only, and with them every tag. */
function onlyWhole(
  { tags = [], indexes }: Holders,
  whole: string,
  cause: DenrootError,
): DenrootError {
  const others = [
    tags.length === 1
      ? `with it the tag ${plainText(tags[0]!)} is lost`
      : `with it the tags ${tags.map((tag) => plainText(tag)).join(", ")} are lost`,
    ...(indexes.length > 0
      ? [`the indexes ${indexes.map((t) => plainText(t)).join(", ")} list it`]
      : []),
  ].join(", and ");
  return new DenrootError(
    "unsupported",
    `The registry deletes no tags alone: ${cause.message}`,
    {
      cause,
      hint:
        `denroot delete ${plainText(whole, 300)} deletes the manifest, if the registry allows ` +
        `that: ${others}`,
    },
  );
}
