/** A storage's records of its images and layers, read without its locks: its writers replace files whole. */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import { DenrootError, messageOf } from "../../errors.ts";
import { isDigest, verifyDigest } from "../../oci/digest.ts";
import { Fields, isObject } from "../../oci/json_fields.ts";
import { plainText, quotePath, quoteText } from "../../text/quote_text.ts";
import type { Digest } from "../../types/image.ts";
import type { FileBlob, LocalBlob } from "../../types/source.ts";
import type { StoragePlace } from "../../containers_conf/storage_conf.ts";

export interface StoredImage {
  /** 64 hexadecimal digits, nearly always those of its configuration's digest. */
  readonly id: string;
  /** As podman shows them, with tag or digest. */
  readonly names: readonly string[];
  readonly topLayer: string | undefined;
  /** Digests of its documents, by the names they are stored under. */
  readonly documents: ReadonlyMap<string, Digest>;
  /** Where its documents are. */
  readonly directory: string;
}

export interface StoredLayer {
  readonly id: string;
  readonly parent: string | undefined;
  /** Of its tar stream; undefined when the storage does not know it. */
  readonly diffId: Digest | undefined;
  /** Bytes of its tar stream; 0 when the storage does not know them. */
  readonly size: number;
  /** It is being made, or was never finished. */
  readonly isIncomplete: boolean;
}

const DRIVERS = ["overlay", "vfs"] as const;
type Driver = typeof DRIVERS[number];

/** Records of some ten thousand images. */
const MAX_RECORDS_SIZE = 256 * 1024 * 1024;
const MAX_DOCUMENT_SIZE = 16 * 1024 * 1024;
const ID = /^[0-9a-f]{64}$/;

export class Storage {
  readonly #driver: Driver;
  readonly #roots: readonly string[];
  readonly images: readonly StoredImage[];
  readonly #layers = new Map<string, StoredLayer>();

  /** Throws code `not_found` when no storage is there, `unsupported` for one of another driver. */
  constructor({ driver, roots }: StoragePlace) {
    this.#roots = roots;
    this.#driver = chooseDriver(driver, roots);
    this.images = roots.flatMap((root) => this.#readImages(root));
    for (const root of roots) this.#readLayers(root);
  }

  /** `/var/lib/containers/storage (overlay)`, fit to be shown. */
  get name(): string {
    return `${plainText(this.#roots[0]!, 300)} (${this.#driver})`;
  }

  /** An image's layers, base first. Throws code `not_found` when one is missing or unfinished. */
  layersOf(image: StoredImage): readonly StoredLayer[] {
    const layers: StoredLayer[] = [];
    for (let id = image.topLayer; id !== undefined;) {
      const layer = this.#layers.get(id);
      if (layer === undefined) throw missingLayer(image, id, "is not there");
      if (layer.isIncomplete) throw missingLayer(image, id, "is incomplete");
      if (layers.includes(layer)) throw missingLayer(image, id, "lies on top of itself");
      layers.push(layer);
      id = layer.parent;
    }
    return layers.reverse();
  }

  /** A document of an image, checked against its digest. Throws code `not_found` without it. */
  document(image: StoredImage, name: string): { readonly digest: Digest; readonly bytes: Buffer } {
    const digest = image.documents.get(name);
    const what = `The image's ${quoteText(name)} in the storage`;
    if (digest === undefined) throw new DenrootError("not_found", `${what} is not there`);
    const bytes = readFile(this.documentPath(image, name), what, MAX_DOCUMENT_SIZE);
    verifyDigest(bytes, digest, what);
    return { digest, bytes };
  }

  documentPath(image: StoredImage, name: string): string {
    // As containers/storage has it: what could be no file's name is encoded.
    const isPlain = /^[.0-9a-z]*$/.test(name);
    return path.join(
      image.directory,
      isPlain ? name : `=${Buffer.from(name).toString("base64")}`,
    );
  }

  /** Where a layer's unpacked files are. Throws when they are not there, or not readable so. */
  layerPlace({ id }: StoredLayer): Exclude<LocalBlob, FileBlob> {
    const overlay = path.join("overlay", id);
    if (this.#find(path.join(overlay, "composefs-data")) !== undefined) throw composefs();
    const isWhole = this.#driver === "vfs";
    const files = isWhole ? path.join("vfs/dir", id) : path.join(overlay, "diff");
    const store = this.#storeOf(files);
    if (store === undefined) {
      throw new DenrootError("not_found", `The files of layer ${id} are not in the storage`);
    }
    const root = path.join(store, files);
    if (fs.lstatSync(root).isSymbolicLink()) throw foreignLayer();
    // A link may lead anywhere, and without a digest nobody would notice.
    if (!isWithin(root, store)) throw leadsOut(root, store);
    const recipe = this.#find(path.join(`${this.#driver}-layers`, `${id}.tar-split.gz`));
    return recipe === undefined
      ? { type: "tree", root, isWhole }
      : { type: "tar-split", recipe, root };
  }

  #find(file: string): string | undefined {
    const store = this.#storeOf(file);
    return store && path.join(store, file);
  }

  /** Which of the roots has the file. */
  #storeOf(file: string): string | undefined {
    return this.#roots.find((root) => isThere(path.join(root, file)));
  }

  #readImages(root: string): readonly StoredImage[] {
    const directory = path.join(root, `${this.#driver}-images`);
    return readRecords(path.join(directory, "images.json")).map((record) =>
      toImage(record, directory)
    );
  }

  #readLayers(root: string): void {
    const directory = path.join(root, `${this.#driver}-layers`);
    for (const name of ["layers.json", "volatile-layers.json"]) {
      for (const record of readRecords(path.join(directory, name))) {
        const layer = toLayer(record);
        if (!this.#layers.has(layer.id)) this.#layers.set(layer.id, layer);
      }
    }
  }
}

function chooseDriver(told: string | undefined, roots: readonly string[]): Driver {
  const driver = told === "overlay2" ? "overlay" : told;
  const known = DRIVERS.find((one) => one === driver);
  if (known === undefined && driver !== undefined && driver !== "") throw unknownDriver(driver);
  const names = roots.flatMap(listStorage);
  const found = DRIVERS.filter((one) => names.includes(`${one}-images`));
  const isMeant = known !== undefined && (found.includes(known) || found.length === 0);
  if (isMeant && names.length > 0) return known;
  if (known === undefined && found.length > 0) return found[0]!;
  if (found.length > 0) throw otherDriver(roots[0]!, found[0]!);
  const other = names.find((name) => name.endsWith("-images"));
  if (other !== undefined) throw unknownDriver(other.slice(0, -"-images".length));
  throw new DenrootError(
    "not_found",
    `${quotePath(roots[0]!)} is no storage of images: it has no "overlay-images" or "vfs-images"`,
    { hint: "Name the storage: containers-storage:[overlay@/path/to/storage]IMAGE" },
  );
}

/** Throws code `file` where it cannot be known. */
function isThere(file: string): boolean {
  try {
    return fs.statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOTDIR") return false;
    throw readError(quotePath(file), cause);
  }
}

function otherDriver(root: string, driver: Driver): DenrootError {
  return new DenrootError(
    "not_found",
    `The images of the storage ${quotePath(root)} are those of the driver ${driver}`,
    { hint: `Name it: containers-storage:[${driver}@${plainText(root, 300)}]IMAGE` },
  );
}

function listStorage(root: string): readonly string[] {
  try {
    return fs.readdirSync(root);
  } catch (cause) {
    const error = readError(`The storage ${quotePath(root)}`, cause);
    if (error.code === "not_found") return [];
    throw error;
  }
}

/** None when there is no such file: so a storage begins. */
function readRecords(file: string): readonly unknown[] {
  const what = `The storage's ${quotePath(file)}`;
  let records: unknown;
  try {
    records = JSON.parse(readFile(file, what, MAX_RECORDS_SIZE).toString() || "[]");
  } catch (cause) {
    if (!(cause instanceof DenrootError)) {
      throw new DenrootError("file", `${what} is not JSON`, { cause });
    }
    if (cause.code === "not_found") return [];
    throw cause;
  }
  // Go writes an empty list so.
  if (records === null) return [];
  if (Array.isArray(records)) return records;
  throw new DenrootError("file", `${what} is no list`);
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

/** It is a part of paths. */
function checkId(id: string): string {
  if (ID.test(id)) return id;
  throw new DenrootError("file", `The storage's records have ${quoteText(id)} where an ID stands`);
}

function readFile(file: string, what: string, limit: number): Buffer {
  try {
    const stats = fs.statSync(file);
    if (!stats.isFile()) throw new DenrootError("file", `${what} is no regular file`);
    if (stats.size > limit) {
      throw new DenrootError("limit", `${what} is larger than ${limit} bytes`);
    }
    return fs.readFileSync(file);
  } catch (cause) {
    throw cause instanceof DenrootError ? cause : readError(what, cause);
  }
}

function readError(what: string, cause: unknown): DenrootError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new DenrootError("not_found", `${what} is not there`, { cause });
  }
  if (code !== "EACCES" && code !== "EPERM") {
    return new DenrootError("file", `${what} cannot be read: ${messageOf(cause)}`, { cause });
  }
  return new DenrootError("file", `${what} must not be read by this user`, {
    cause,
    hint: "Another user's storage is for that user to read; root's needs root",
  });
}

function missingLayer(image: StoredImage, id: string, how: string): DenrootError {
  return new DenrootError("not_found", `Layer ${id} of image ${image.id} ${how} in the storage`, {
    hint: "Another program may be changing the image just now: try again, or pull it again",
  });
}

/** What helps with every storage that only its own library can read. */
const PUSH = { hint: "Let podman hand out the image: podman push IMAGE oci:/path/to/layout" };

function unknownDriver(driver: string): DenrootError {
  const message = `The storage's driver ${quoteText(driver)} is not supported; overlay and vfs are`;
  return new DenrootError("unsupported", message, PUSH);
}

function composefs(): DenrootError {
  const message =
    "The storage keeps its layers in composefs, whose files have no names of their own";
  return new DenrootError("unsupported", message, PUSH);
}

/** With all links followed. */
function isWithin(file: string, directory: string): boolean {
  return fs.realpathSync(file).startsWith(path.join(fs.realpathSync(directory), "/"));
}

function leadsOut(file: string, store: string): DenrootError {
  return new DenrootError(
    "unsupported",
    `A link on the way to ${quotePath(file)} leads out of the storage`,
    { hint: `Mount what it leads to in its place below ${plainText(store, 300)}` },
  );
}

function foreignLayer(): DenrootError {
  const message = "The storage has a layer in an additional layer store, a mounted file system";
  return new DenrootError("unsupported", message, PUSH);
}
