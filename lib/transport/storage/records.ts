/** Reads the records of a storage: JSON files that list its images and its layers. */

import type { Buffer } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import { DenrootError, isMissing, messageOf, systemCode } from "../../errors.ts";
import { isDigest } from "../../oci/digest.ts";
import { Fields, isObject } from "../../oci/json_fields.ts";
import { quotePath, quoteText } from "../../text/quote_text.ts";
import type { Digest } from "../../types/image.ts";

export interface StoredImage {
  /** 64 hexadecimal digits, nearly always those of the configuration's digest. */
  readonly id: string;
  /** The names that podman shows, with a tag or digest. */
  readonly names: readonly string[];
  /** The ID of the topmost layer. */
  readonly topLayer: string | undefined;
  /** The digests of the image's documents, by the documents' names in the storage. */
  readonly documents: ReadonlyMap<string, Digest>;
  /** The directory that has the documents. */
  readonly directory: string;
}

export interface StoredLayer {
  readonly id: string;
  /** The ID of the layer below. */
  readonly parent: string | undefined;
  /** The digest of the tar stream; undefined when the storage does not know it. */
  readonly diffId: Digest | undefined;
  /** The size of the tar stream in bytes; 0 when the storage does not know it. */
  readonly size: number;
  /** Whether a program is still writing the layer, or has never finished it. */
  readonly isIncomplete: boolean;
}

/** In bytes: about ten thousand images have records of this size. */
const MAX_RECORDS_SIZE = 256 * 1024 * 1024;
const ID = /^[0-9a-f]{64}$/;

/** The images in the directory `overlay-images`, say. Throws code `file`. */
export function readImages(directory: string): readonly StoredImage[] {
  return readRecords(path.join(directory, "images.json"))
    .map((record) => toImage(record, directory));
}

/** The layers in the directory `overlay-layers`, say. Throws code `file`. */
export function readLayers(directory: string): readonly StoredLayer[] {
  return ["layers.json", "volatile-layers.json"]
    .flatMap((name) => readRecords(path.join(directory, name)).map(toLayer));
}

/** Gives no records when the file does not exist, as in a new storage. */
function readRecords(file: string): readonly unknown[] {
  const what = `The storage's file ${quotePath(file)}`;
  let records: unknown;
  try {
    records = JSON.parse(readStorageFile(file, what, MAX_RECORDS_SIZE).toString() || "[]");
  } catch (cause) {
    if (!(cause instanceof DenrootError)) {
      throw new DenrootError("file", `${what} is not JSON`, { cause });
    }
    if (cause.code === "not_found") return [];
    throw cause;
  }
  // Go writes null for an empty list.
  if (records === null) return [];
  if (Array.isArray(records)) return records;
  throw new DenrootError("file", `${what} is not a JSON array`);
}

function toImage(record: unknown, directory: string): StoredImage {
  const fields = new Fields(record, "The storage's record of an image");
  const id = checkId(fields.string("id"));
  const digests = fields.stringMap("big-data-digests");
  return {
    id,
    names: fields.strings("names"),
    topLayer: optionalId(fields, "layer"),
    documents: new Map(Object.entries(digests).filter(([, digest]) => isDigest(digest))),
    directory: path.join(directory, id),
  };
}

function toLayer(record: unknown): StoredLayer {
  const fields = new Fields(record, "The storage's record of a layer");
  const diffId = fields.optionalString("diff-digest");
  return {
    id: checkId(fields.string("id")),
    parent: optionalId(fields, "parent"),
    diffId: diffId !== undefined && isDigest(diffId) ? diffId : undefined,
    size: sizeOf(record),
    isIncomplete: (fields.optionalObject("flags") ?? {}).incomplete === true,
  };
}

/** The storage writes -1 for a size that it does not know. */
function sizeOf(record: unknown): number {
  const size = isObject(record) ? record["diff-size"] : undefined;
  return Number.isSafeInteger(size) ? Math.max(0, size as number) : 0;
}

function optionalId(fields: Fields, name: string): string | undefined {
  const id = fields.optionalString(name);
  return id === undefined || id === "" ? undefined : checkId(id);
}

/** IDs are checked because they become parts of paths. */
function checkId(id: string): string {
  if (ID.test(id)) return id;
  throw new DenrootError("file", `The storage's records have the invalid ID ${quoteText(id)}`);
}

/** Throws code `not_found`, `file`, or `limit` for more than `limit` bytes. */
export function readStorageFile(file: string, what: string, limit: number): Buffer {
  try {
    const stats = fs.statSync(file);
    if (!stats.isFile()) throw new DenrootError("file", `${what} is not a regular file`);
    if (stats.size > limit) {
      throw new DenrootError("limit", `${what} is larger than ${limit} bytes`);
    }
    return fs.readFileSync(file);
  } catch (cause) {
    throw cause instanceof DenrootError ? cause : readError(what, cause);
  }
}

/** Makes an error with code `not_found` or `file`. */
export function readError(what: string, cause: unknown): DenrootError {
  const code = systemCode(cause);
  if (isMissing(cause)) {
    return new DenrootError("not_found", `${what} does not exist`, { cause });
  }
  if (code !== "EACCES" && code !== "EPERM") {
    return new DenrootError("file", `${what} cannot be read: ${messageOf(cause)}`, { cause });
  }
  return new DenrootError("file", `${what} is not readable for this user`, {
    cause,
    hint: "Run denroot as the user who owns the storage, which may be root",
  });
}
