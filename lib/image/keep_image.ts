/** The image file of a URI, which is made once and kept in the cache. */

import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { DenrootError, hasCode, messageOf } from "../errors.ts";
import { formatPlatform } from "../oci/choose_platform.ts";
import { formatReference } from "../reference/format_reference.ts";
import { parseReference } from "../reference/parse_reference.ts";
import { readSuperblock } from "../squashfs/superblock.ts";
import { imageName, imagesDirectory, readRecord, recordName } from "../store/kept_images.ts";
import { writeFileAtomically } from "../system/files/atomic_file.ts";
import { describeHolder, waitForLease } from "../system/files/lease.ts";
import { refreshAll } from "../system/files/leftovers.ts";
import { makePrivateDirectory } from "../system/files/private_directory.ts";
import type { Digest } from "../types/image.ts";
import type { Reference } from "../types/reference.ts";
import { type ImageContext, imageContext, type ImageOptions, withSource } from "./image_options.ts";
import type { ImportResult } from "./import_image.ts";
import { manifestDigest } from "./resolve_image.ts";

export interface KeepOptions extends ImageOptions {
  /** Whether to ask no registry: the image is the one that its name meant the last time. */
  readonly offline?: boolean | undefined;
  /** Whether to import it again. */
  readonly force?: boolean | undefined;
  /** Whether to read a new image back and compare it with what was packed. */
  readonly verify?: boolean | undefined;
}

export interface KeptImage {
  /** The image file. `pruneCache` removes it some time, but not while a container runs from it. */
  readonly path: string;
  /** The result of the import; undefined where the image was there. */
  readonly imported?: ImportResult;
}

/** A change of what imports write into images makes images anew when this changes. */
const FORM = 1;
const VARIANT_DIGITS = 16;

/**
 * Finds the image that `uri` names among those that were made before with the same platform and packing,
 * and imports it when it is new. To ask what a tag means costs one request; a digest costs none. When
 * several processes need the same image, one of them imports it.
 *
 * Throws as `importImage` does; code `not_found` with `offline` for an image that is not there.
 */
export async function keepImage(uri: string, options: KeepOptions = {}): Promise<KeptImage> {
  const reference = parseReference(uri);
  const context = await imageContext(options);
  const directory = openDirectory(context.settings.cachePath);
  const variant = variantOf(context);
  const record = path.join(directory, recordName(keyOf([requestOf(reference), variant])));
  const known = isAnswered(reference, options) ? readRecord(record) : undefined;
  if (known !== undefined && !options.force) {
    const kept = usable(path.join(directory, known));
    if (kept !== undefined) return { path: kept };
  }
  if (options.offline && reference.scheme === "docker") throw notKept(uri);
  const digest = await withSource(
    reference,
    { ...options, settings: context.settings },
    (source) => manifestDigest(source, context.platform, context.signal),
  );
  const file = path.join(directory, imageName(digest, variant));
  const found = options.force ? undefined : usable(file);
  const imported = found === undefined
    ? await importOnce({ uri: exactUri(uri, reference, digest), digest, file }, options, context)
    : undefined;
  if (reference.scheme === "docker") await remember(record, path.basename(file));
  return { path: file, ...(imported && { imported }) };
}

/** Whether a registry need not be asked: what a digest means never changes. */
function isAnswered(reference: Reference, { offline }: KeepOptions): boolean {
  return reference.scheme === "docker" && (offline === true || reference.digest !== undefined);
}

interface WantedImage {
  readonly uri: string;
  readonly digest: Digest;
  readonly file: string;
}

/** Undefined when another process has made the image meanwhile. */
async function importOnce(
  { uri, digest, file }: WantedImage,
  options: KeepOptions,
  { settings, onProgress, signal }: ImageContext,
): Promise<ImportResult | undefined> {
  const { importImage } = await import("./import_image.ts");
  const lease = await waitForLease(`${file}.lease`, {
    signal,
    onHeld: (holder) => {
      const message = `Waiting for ${describeHolder(holder)}, which imports the image`;
      onProgress({ type: "log", level: "info", message });
    },
  });
  try {
    if (!options.force && usable(file) !== undefined) return undefined;
    const imported = await importImage(uri, {
      ...options,
      settings,
      output: file,
      force: true,
    });
    if (imported.digest === digest) return imported;
    fs.rmSync(file, { force: true });
    throw changed(uri);
  } finally {
    lease.release();
  }
}

/** The URI with the digest: a tag may move while its image is fetched. */
function exactUri(uri: string, reference: Reference, digest: Digest): string {
  const isTag = reference.scheme === "docker" && reference.digest === undefined;
  return isTag ? `${uri}@${digest}` : uri;
}

/** The file, marked as used; undefined where there is none, or a damaged one. */
function usable(file: string): string | undefined {
  try {
    readSuperblock(file);
  } catch (error) {
    if (hasCode(error, "not_found") || hasCode(error, "squashfs")) return undefined;
    throw error;
  }
  refreshAll([file], path.dirname(file));
  return file;
}

/** Others that use the cache must not be able to choose what this user's containers run. */
function openDirectory(cachePath: string): string {
  try {
    return makePrivateDirectory(imagesDirectory(cachePath));
  } catch (cause) {
    throw new DenrootError("file", `No images can be kept in ${cachePath}: ${messageOf(cause)}`, {
      cause,
      hint: "Set ENROOT_CACHE_PATH to a directory that only you may change, or a sticky one",
    });
  }
}

/** All that decides about an image's bytes beside its layers. */
function variantOf({ platform, isPlatformAsked, settings }: ImageContext): string {
  const { squashOptions, sourceDateEpoch } = settings;
  const parts = [FORM, formatPlatform(platform), isPlatformAsked, squashOptions, sourceDateEpoch];
  return keyOf(parts).slice(0, VARIANT_DIGITS);
}

/** The reference without the user: it says how to ask, not for what. */
function requestOf(reference: Reference): string {
  return formatReference(
    reference.scheme === "docker" ? { ...reference, user: undefined } : reference,
  );
}

function keyOf(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

async function remember(record: string, name: string): Promise<void> {
  if (readRecord(record) !== name) {
    await writeFileAtomically(record, new TextEncoder().encode(name));
  }
}

function notKept(uri: string): DenrootError {
  return new DenrootError(
    "not_found",
    `${uri} was not run before, and --offline asks no registry`,
    {
      hint: "Run it once without --offline",
    },
  );
}

function changed(uri: string): DenrootError {
  return new DenrootError("digest", `${uri} was changed while it was imported`, {
    hint: "Try again",
  });
}
