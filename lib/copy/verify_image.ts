/** Compares an image in two places, or looks whether one place has all of it. */

import { DenrootError } from "../errors.ts";
import { type ImageContext, imageContext, type ImageOptions } from "../image/image_options.ts";
import { parsePlatform } from "../oci/architecture.ts";
import { formatReference } from "../reference/format_reference.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { openStore } from "../store/open_cache.ts";
import { secondsSince } from "../text/seconds_since.ts";
import { openSource } from "../transport/open_source.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Digest, IndexEntry, Platform } from "../types/image.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageSource } from "../types/source.ts";
import { checkBlob } from "./check_blob.ts";
import { requireOneChoice } from "./choose_root.ts";
import { comparePlaces } from "./compare_places.ts";
import { unlessFaulty } from "./image_tree.ts";
import { inParallel } from "./in_parallel.ts";
import { type PlaceContent, readPlace } from "./read_place.ts";
import { contextOf, referenceOf, type SideOptions } from "./side_options.ts";
import { asSourceSide, type Side, sideOf } from "./sides.ts";

export interface VerifyOptions extends ImageOptions {
  /** Platforms to look at, `linux/arm64`; everything without one. */
  readonly platforms?: readonly string[] | undefined;
  /** Whether what refers to the image is left out. */
  readonly withoutReferrers?: boolean | undefined;
  /** Whether all bytes are read, and not only names and sizes compared. */
  readonly deep?: boolean | undefined;
  readonly source?: SideOptions | undefined;
  readonly destination?: SideOptions | undefined;
}

/** Something that is missing or wrong. */
export interface VerifyProblem {
  readonly side: Side;
  readonly kind: "missing" | "different";
  /** The document or blob; empty for an entry of an index that has no usable digest. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly message: string;
}

export interface VerifyResult {
  /** The canonical references, without users. */
  readonly source: string;
  readonly destination?: string;
  /** The digests of what the references name; with platforms, of the first one's manifest. */
  readonly digest: Digest;
  readonly destinationDigest?: Digest;
  /** How many documents and blobs the source has, and how many bytes these are. */
  readonly documents: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly isDeep: boolean;
  /** Empty when all is well. */
  readonly problems: readonly VerifyProblem[];
  readonly seconds: number;
}

/**
 * Looks at every document and blob of the image, in both places or in the only one, and compares what
 * they have. Places that make up manifests of their own (engines, `docker save`) are compared by the
 * image's configuration, which names the content of all layers.
 *
 * What is missing or wrong is told, not thrown. Throws {@link DenrootError} where a place has nothing
 * under the name, or cannot be asked.
 */
export async function verifyImage(
  from: string,
  to: string | undefined,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const started = performance.now();
  const references = referencesOf(from, to, options);
  const context = await imageContext(options);
  const platforms = platformsFor(references, options, context);
  using blobs = openStore(context.settings, context.onProgress);
  const places = { ...context, platform: platforms[0] ?? context.platform, blobs };
  await using source = await open(references[0]!, "source", to !== undefined, places, options);
  await using destination = references[1] &&
    await open(references[1], "destination", true, places, options);
  const sources = destination === undefined ? [source] : [source, destination];
  const verified = await verifySources(sources, platforms, places, options);
  const [first, second] = verified;
  const problems = verified.flatMap(({ problems }) => problems);
  if (second !== undefined) {
    problems.push(...comparePlaces(first!, second, references.some(hasOwnManifests)));
  }
  return {
    source: source.uri,
    ...(destination && { destination: destination.uri }),
    digest: first!.roots[0]!.digest,
    ...(second && { destinationDigest: second.roots[0]!.digest }),
    documents: first!.tree.size,
    blobs: first!.blobs.length,
    bytes: first!.blobs.reduce((sum, { size }) => sum + size, 0),
    isDeep: options.deep ?? false,
    problems,
    seconds: secondsSince(started),
  };
}

/** A place with what it has, and what it lacks. */
export interface VerifiedPlace extends PlaceContent {
  readonly source: ImageSource;
  readonly problems: VerifyProblem[];
}

/** Both places work at the same time; each has connections of its own. */
async function verifySources(
  sources: readonly ImageSource[],
  platforms: readonly Platform[],
  context: ImageContext & SourceContext,
  { withoutReferrers, deep: isDeep = false }: VerifyOptions,
): Promise<readonly VerifiedPlace[]> {
  const { onProgress, settings: { maxConnections } } = context;
  const withReferrers = !withoutReferrers;
  const found = await inParallel(sources, 2, context.signal, async (source, signal) => {
    const side = source === sources[0] ? "source" : "destination";
    const on: OnSide = sources.length > 1 ? sideOf(side, source.uri) : (action) => action();
    const problems: VerifyProblem[] = [];
    const onFault = (entry: IndexEntry, error: DenrootError) => {
      problems.push(problemOf(side, entry, error));
    };
    const options = { platforms, withReferrers, onFault };
    const content = await on(() => readPlace(source, options, { ...context, signal }));
    return { source, problems, ...content, onFault, on };
  });
  const blobs = found.flatMap((place) => place.blobs.map((blob) => ({ place, blob })));
  if (isDeep) onProgress({ type: "reading", blobs: blobs.map(({ blob }) => blob) });
  const numbered = blobs.map((one, index) => ({ ...one, index }));
  await inParallel(found, 2, context.signal, (place, signal) => {
    const own = numbered.filter((one) => one.place === place);
    return inParallel(own, maxConnections, signal, async ({ blob, index }, signal) => {
      const { size } = blob;
      const onBytes = (sent: number) => {
        if (isDeep) onProgress({ type: "blob", index, size, sent });
      };
      const options = { blobs: context.blobs, isDeep, onBytes, signal };
      const check = () => checkBlob(blob, place.source, options);
      await unlessFaulty(blob, () => place.on(check), place.onFault);
      onBytes(size);
    });
  });
  return found;
}

/** Does something on a side, whose errors name it where there are two. */
type OnSide = <T>(action: () => Promise<T>) => Promise<T>;

function problemOf(
  side: Side,
  { digest, mediaType, size }: IndexEntry,
  { code, message }: DenrootError,
): VerifyProblem {
  const kind = code === "not_found" ? "missing" : "different";
  return { side, kind, digest, mediaType, size, message };
}

function referencesOf(
  from: string,
  to: string | undefined,
  { source = {}, destination = {} }: VerifyOptions,
): readonly Reference[] {
  const first = referenceOf(parseReference(from), source, "source");
  if (to !== undefined) return [first, referenceOf(parseReference(to), destination, "destination")];
  if (Object.values(destination).every((value) => value === undefined || value === false)) {
    return [first];
  }
  throw new DenrootError("usage", "There is no destination, so it needs no account", {
    hint: "The account for a single image is that of the source",
  });
}

/** Whether a place may have no other manifest than one that is made up. */
function hasOwnManifests({ scheme }: Reference): boolean {
  return ENGINES.has(scheme);
}

const ENGINES: ReadonlySet<string> = new Set([
  "docker-archive",
  "docker-daemon",
  "dockerd",
  "podman",
  "containers-storage",
]);

/** An engine has one platform: without a choice, this machine's. */
function platformsFor(
  references: readonly Reference[],
  options: VerifyOptions,
  { platform }: ImageContext,
): readonly Platform[] {
  requireOneChoice(options);
  const { platforms = [], architecture } = options;
  if (platforms.length > 0) return platforms.map(parsePlatform);
  return architecture !== undefined || references.some(hasOwnManifests) ? [platform] : [];
}

async function open(
  reference: Reference,
  side: Side,
  isNamed: boolean,
  context: ImageContext & SourceContext,
  options: VerifyOptions,
): Promise<ImageSource> {
  // An import and a copy take the source from its mirrors too; what the destination has is in question.
  const withoutMirrors = side === "destination";
  const own = { ...contextOf(context, options[side] ?? {}), withoutMirrors };
  if (!isNamed) return await openSource(reference, own);
  const opened = await sideOf(side, formatReference(reference))(() => openSource(reference, own));
  return asSourceSide(opened, side);
}
