/** Parses and checks manifests and indexes (image-spec, manifest.md and image-index.md). */

import { DenrootError } from "../errors.ts";
import type { Descriptor, IndexEntry, Manifest, Platform } from "../types/image.ts";
import { normalizePlatform } from "./architecture.ts";
import { digestFault, isDigest } from "./digest.ts";
import { Fields, isObject, parseJsonObject } from "./json_fields.ts";
import {
  essenceOf,
  isIndexType,
  isManifestType,
  isSchema1Type,
  OCI_INDEX,
  OCI_MANIFEST,
} from "./media_types.ts";

/** A list of manifests, in the order of the document. */
interface ImageIndex {
  readonly mediaType: string;
  readonly manifests: readonly IndexEntry[];
}

type ManifestOrIndex =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly index: ImageIndex };

export function mediaTypeOf(parsed: ManifestOrIndex): string {
  return parsed.kind === "manifest" ? parsed.manifest.mediaType : parsed.index.mediaType;
}

/** No engine could use so many layers or entries: a longer list is an attack or a mistake. */
export const MAX_LAYERS = 10_000;
export const MAX_INDEX_ENTRIES = 10_000;
/** How many indexes, one inside the other, may be on the way to a manifest. */
export const MAX_INDEX_DEPTH = 4;
/** The largest manifest or index that is read, in bytes. */
export const MAX_MANIFEST_SIZE = 8 * 1024 * 1024;

/**
 * Parses a document that a registry or layout gives for a manifest. The document's own `mediaType`
 * decides what it is. Without one, `contentType` decides (the header, or the descriptor's type), and
 * then the document's fields.
 *
 * Artifacts, encrypted layers and unknown media types are accepted, because they can be copied. An
 * index's entry that breaks the specification gets a `fault`: only those who need it fail.
 *
 * Throws code `unsupported` for Docker schema 1, whose digest does not cover all of its bytes,
 * `limit` for too many layers or entries, and `manifest` for a document that breaks the
 * specification.
 */
export function parseManifestOrIndex(bytes: Uint8Array, contentType?: string): ManifestOrIndex {
  const fields = new Fields(parseJsonObject(bytes, "The manifest"), "The manifest");
  const mediaType = essenceOf(fields.optionalString("mediaType")) || essenceOf(contentType);
  if (isSchema1Type(mediaType) || isSchema1(fields)) throw schema1Refused();
  // A document that is both could be one image for denroot and another for a scanner
  // (CVE-2021-41190).
  if (fields.has("manifests") && (fields.has("layers") || fields.has("config"))) {
    throw new DenrootError("manifest", "The manifest is ambiguous: it is an index and an image");
  }
  if (isIndexType(mediaType) || (!isManifestType(mediaType) && fields.has("manifests"))) {
    return { kind: "index", index: toIndex(fields, mediaType) };
  }
  return { kind: "manifest", manifest: toManifest(fields, mediaType) };
}

/** Like `parseManifestOrIndex`, but also throws code `manifest` when the document is not an index. */
export function parseIndex(bytes: Uint8Array, contentType?: string): ImageIndex {
  const parsed = parseManifestOrIndex(bytes, contentType);
  if (parsed.kind === "index") return parsed.index;
  throw new DenrootError("manifest", "An index was expected, but the document is a manifest");
}

function isSchema1(fields: Fields): boolean {
  return fields.has("fsLayers") ||
    (fields.has("schemaVersion") && fields.count("schemaVersion") === 1);
}

function toIndex(fields: Fields, mediaType: string): ImageIndex {
  checkSchemaVersion(fields);
  const entries = fields.isNull("manifests") ? [] : fields.array("manifests");
  if (entries.length > MAX_INDEX_ENTRIES) {
    throw new DenrootError(
      "limit",
      `The index lists ${entries.length} manifests; the limit is ${MAX_INDEX_ENTRIES}`,
    );
  }
  const manifests = entries.map((entry, position) =>
    toEntry(entry, `The index's manifest ${position + 1}`)
  );
  return { mediaType: isIndexType(mediaType) ? mediaType : OCI_INDEX, manifests };
}

function toManifest(fields: Fields, mediaType: string): Manifest {
  checkSchemaVersion(fields);
  const artifactType = fields.optionalString("artifactType");
  const layers = toLayers(fields);
  const isEmpty = layers.length === 0 && artifactType === undefined;
  const config = isEmpty ? fields.object("config") : fields.optionalObject("config");
  const subject = fields.has("subject")
    ? toEntry(fields.optionalObject("subject"), "The manifest's subject")
    : undefined;
  return {
    mediaType: fields.has("mediaType") || isManifestType(mediaType) ? mediaType : OCI_MANIFEST,
    ...(artifactType && { artifactType }),
    ...(config && { config: toDescriptor(config, "The manifest's config") }),
    layers,
    ...(subject && subject.fault === undefined && { subject }),
  };
}

/** Artifact manifests from before image-spec 1.1 have `blobs` instead. */
function toLayers(fields: Fields): readonly Descriptor[] {
  const mayHaveNone = fields.has("artifactType") || !fields.has("config") ||
    fields.isNull("layers");
  const entries = fields.optionalArray("layers") ?? fields.optionalArray("blobs") ??
    (mayHaveNone ? [] : fields.array("layers"));
  if (entries.length > MAX_LAYERS) {
    throw new DenrootError(
      "limit",
      `The image has ${entries.length} layers; the limit is ${MAX_LAYERS}`,
    );
  }
  return entries.map((entry, position) =>
    toDescriptor(entry, `The manifest's layer ${position + 1}/${entries.length}`)
  );
}

/** The version of Docker and of OCI is 2; some builders do not write it. */
function checkSchemaVersion(fields: Fields): void {
  if (!fields.has("schemaVersion")) return;
  const version = fields.count("schemaVersion");
  if (version !== 2) {
    throw new DenrootError(
      "unsupported",
      `The manifest has schema version ${version}; denroot reads only version 2`,
    );
  }
}

function toEntry(value: unknown, what: string): IndexEntry {
  try {
    return toDescriptor(value, what);
  } catch (fault) {
    if (!(fault instanceof DenrootError)) throw fault;
    return { ...readableParts(value, what), digest: "", fault };
  }
}

/** The type, platform and annotations of a descriptor that is broken elsewhere. */
function readableParts(value: unknown, what: string): Omit<Descriptor, "digest"> {
  const parts = isObject(value) ? value : {};
  const { mediaType, platform } = parts;
  return {
    mediaType: typeof mediaType === "string" ? mediaType : "",
    size: 0,
    ...readablePlatform(platform, what),
    annotations: new Fields(parts, what).looseStringMap("annotations"),
  };
}

function readablePlatform(value: unknown, what: string): { readonly platform?: Platform } {
  try {
    return { platform: toPlatform(value, what) };
  } catch {
    return {};
  }
}

function toDescriptor(value: unknown, what: string): Descriptor {
  const fields = new Fields(value, what);
  const digest = fields.string("digest");
  if (!isDigest(digest)) throw digestFault(digest, what);
  const urls = fields.strings("urls");
  const platform = fields.optionalObject("platform");
  const annotations = fields.looseStringMap("annotations");
  const artifactType = fields.optionalString("artifactType");
  return {
    mediaType: fields.optionalString("mediaType") ?? "",
    digest,
    size: fields.count("size"),
    ...(urls.length > 0 && { urls }),
    ...(platform && { platform: toPlatform(platform, what) }),
    ...(artifactType && { artifactType }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

function toPlatform(value: unknown, what: string): Platform {
  const fields = new Fields(value, `${what}'s platform`);
  const variant = fields.optionalString("variant");
  const features = fields.strings("os.features");
  return normalizePlatform({
    os: fields.optionalString("os") ?? "",
    architecture: fields.optionalString("architecture") ?? "",
    ...(variant && { variant }),
    ...(features.length > 0 && { features }),
  });
}

function schema1Refused(): DenrootError {
  return new DenrootError(
    "unsupported",
    "The image has a Docker schema 1 manifest, a format that Docker gave up in 2019",
    { hint: "Push it again with a current Docker or skopeo, which writes schema 2 or OCI" },
  );
}
