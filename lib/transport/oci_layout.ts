/** An image layout directory (image-spec, image-layout.md): `oci:PATH` -> `Source`. */

import { realpathSync, statSync } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { DenrootError, messageOf } from "../errors.ts";
import { choosePlatform } from "../oci/choose_platform.ts";
import { blobPath, verifyDigest } from "../oci/digest.ts";
import { Fields, parseJsonObject } from "../oci/json_fields.ts";
import { parseIndex, parseManifestOrIndex } from "../oci/parse_manifest.ts";
import { plainText, quoteText } from "../oci/quote_text.ts";
import { formatReference } from "../reference/format_reference.ts";
import type {
  ByteRange,
  Descriptor,
  Digest,
  OciReference,
  Platform,
  ResolvedImage,
  Source,
} from "../types.ts";
import { throwIfAborted } from "./aborted.ts";
import type { SourceContext } from "./source_context.ts";

/** Throws code `not_found` or `manifest` when the directory is no layout. */
export async function openOciLayout(
  reference: OciReference,
  context: SourceContext,
): Promise<Source> {
  throwIfAborted(context.signal);
  const root = resolve(reference.path);
  await checkLayout(root, reference.path);
  return {
    uri: formatReference(reference),
    resolve: (platform) => resolveImage(root, reference, platform),
    blob: (descriptor, range, signal) => readBlob(root, descriptor, range, signal),
    localPath: (descriptor) => checkedBlobPath(root, descriptor),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const LIMITS = { markerBytes: 64 * 1024, manifestBytes: 8 * 1024 * 1024, depth: 4 };
const CHUNK_BYTES = 1024 * 1024;

async function checkLayout(root: string, shownPath: string): Promise<void> {
  const what = `The layout marker ${quoteText(join(shownPath, "oci-layout"), 300)}`;
  let bytes: Uint8Array;
  try {
    bytes = await readSmall(join(root, "oci-layout"), LIMITS.markerBytes, what);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "not_found") throw cause;
    throw new DenrootError(
      "not_found",
      `${quoteText(shownPath, 300)} is no OCI image layout: it has no file "oci-layout"`,
      { cause },
    );
  }
  const version = new Fields(parseJsonObject(bytes, what), what).string("imageLayoutVersion");
  if (!version.startsWith("1.")) {
    throw new DenrootError(
      "unsupported",
      `${what} says version ${quoteText(version, 20)}; only 1.0.0 is known`,
    );
  }
}

async function resolveImage(
  root: string,
  reference: OciReference,
  platform: Platform,
): Promise<ResolvedImage> {
  let digest = reference.digest ?? await choose(root, reference, platform);
  const outer: Descriptor[] = [];
  for (let depth = 0; depth <= LIMITS.depth; depth++) {
    const what = `Manifest ${digest}`;
    const path = checkedBlobPath(root, { digest });
    const bytes = await readSmall(path, LIMITS.manifestBytes, what);
    verifyDigest(bytes, digest, what);
    const parsed = parseManifestOrIndex(bytes);
    if (parsed.kind === "manifest") return { digest, manifest: parsed.manifest };
    digest = choosePlatform(parsed.index.manifests, platform, outer).digest;
    outer.push(...parsed.index.manifests);
  }
  throw new DenrootError("limit", `The layout has indexes deeper than ${LIMITS.depth}`);
}

/** The entry of index.json that the tag, or its absence, stands for. */
async function choose(root: string, reference: OciReference, platform: Platform): Promise<Digest> {
  const what = `The layout's index.json in ${quoteText(reference.path, 300)}`;
  const bytes = await readSmall(join(root, "index.json"), LIMITS.manifestBytes, what);
  const { manifests } = parseIndex(bytes);
  const tagged = reference.tag === undefined ? manifests : withTag(manifests, reference.tag);
  const [only, ...others] = tagged;
  if (only === undefined) throw noSuchTag(reference, manifests);
  if (others.length === 0) return only.digest;
  // One tag, or none, on several entries: they are the same image for several platforms.
  if (new Set(tagged.map(tagOf)).size === 1 && tagged.some((entry) => entry.platform)) {
    return choosePlatform(tagged, platform).digest;
  }
  throw ambiguous(reference, manifests);
}

/** Tools write the tag alone, or the image's full name, into the annotation. */
function withTag(entries: readonly Descriptor[], tag: string): readonly Descriptor[] {
  const exact = entries.filter((entry) => tagOf(entry) === tag);
  return exact.length > 0 ? exact : entries.filter((entry) => tagOf(entry)?.endsWith(`:${tag}`));
}

function tagOf(entry: Descriptor): string | undefined {
  return entry.annotations?.["org.opencontainers.image.ref.name"];
}

async function* readBlob(
  root: string,
  descriptor: Descriptor,
  range: ByteRange | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { start, end } = range ?? { start: 0, end: descriptor.size };
  const path = checkedBlobPath(root, descriptor);
  const file = await open(path, "r");
  try {
    for (let offset = start; offset < end;) {
      throwIfAborted(signal);
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - offset));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, offset);
      if (bytesRead === 0) throw wrongSize(descriptor, offset);
      offset += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The blob's file: a regular one inside the layout, of the right size; anything else throws. */
function checkedBlobPath(root: string, descriptor: { digest: Digest; size?: number }): string {
  const { digest, size } = descriptor;
  const path = join(root, blobPath(digest));
  let real: string;
  try {
    real = realpathSync(path);
  } catch (cause) {
    throw new DenrootError("not_found", `The layout has no blob ${digest}`, { cause });
  }
  // A link out of the layout would make any file of this user's a layer of the image.
  if (!real.startsWith(realpathSync(root).replace(/\/?$/, sep))) {
    throw new DenrootError("file", `Blob ${digest} is a link that leads out of the layout`);
  }
  const stats = statSync(real);
  if (!stats.isFile()) throw new DenrootError("file", `Blob ${digest} is no regular file`);
  if (size !== undefined && stats.size !== size) throw wrongSize({ digest, size }, stats.size);
  return real;
}

async function readSmall(path: string, limit: number, what: string): Promise<Uint8Array> {
  try {
    const stats = await stat(path);
    if (!stats.isFile()) throw new DenrootError("file", `${what} is no regular file`);
    if (stats.size > limit) {
      throw new DenrootError("limit", `${what} is larger than ${limit / 1024} KiB`);
    }
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    const isMissing = /^(ENOENT|ENOTDIR)$/.test(String((cause as { code?: unknown }).code));
    throw new DenrootError(
      isMissing ? "not_found" : "file",
      `${what} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}

function listTags(entries: readonly Descriptor[]): string {
  const tags = [...new Set(entries.map(tagOf))].filter((tag) => tag !== undefined);
  const rest = tags.length > 20 ? ` and ${tags.length - 20} more` : "";
  return tags.length === 0
    ? "no tags"
    : `the tags ${tags.slice(0, 20).map((tag) => plainText(tag)).join(", ")}${rest}`;
}

function noSuchTag(reference: OciReference, entries: readonly Descriptor[]): DenrootError {
  const path = quoteText(reference.path, 300);
  if (entries.length === 0) return new DenrootError("not_found", `The layout ${path} is empty`);
  return new DenrootError(
    "not_found",
    `The layout ${path} has no tag ${quoteText(reference.tag ?? "")}; it has ${listTags(entries)}`,
  );
}

function ambiguous(reference: OciReference, entries: readonly Descriptor[]): DenrootError {
  return new DenrootError(
    "reference",
    `The layout ${quoteText(reference.path, 300)} holds ${entries.length} images; it has ${
      listTags(entries)
    }`,
    { hint: "Name one as oci:PATH:TAG or oci:PATH@DIGEST" },
  );
}

function wrongSize(descriptor: { digest: Digest; size: number }, actual: number): DenrootError {
  return new DenrootError(
    "digest",
    `Blob ${descriptor.digest} has ${actual} bytes instead of ${descriptor.size}`,
  );
}
