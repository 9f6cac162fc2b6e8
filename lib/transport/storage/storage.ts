/**
 * Reads a storage's records of its images and layers. The storage's locks are not needed for this,
 * because its writers replace the files of records as a whole.
 */

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

interface StoredLayer {
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

const DRIVERS = ["overlay", "vfs"] as const;
type Driver = typeof DRIVERS[number];

/** In bytes: about ten thousand images have records of this size. */
const MAX_RECORDS_SIZE = 256 * 1024 * 1024;
/** In bytes. */
const MAX_DOCUMENT_SIZE = 16 * 1024 * 1024;
const ID = /^[0-9a-f]{64}$/;

export class Storage {
  readonly #driver: Driver;
  readonly #roots: readonly string[];
  readonly images: readonly StoredImage[];
  readonly #layers = new Map<string, StoredLayer>();

  /**
   * Throws code `not_found` when there is no storage or it has another driver than asked for,
   * `unsupported` for a driver that denroot cannot read, `file` when the records cannot be read.
   */
  constructor({ driver, roots }: StoragePlace) {
    this.#roots = roots;
    this.#driver = chooseDriver(driver, roots);
    this.images = roots.flatMap((root) => this.#readImages(root));
    for (const root of roots) this.#readLayers(root);
  }

  /** `/var/lib/containers/storage (overlay)`, safe to show on a terminal. */
  get name(): string {
    return `${plainText(this.#roots[0]!, 300)} (${this.#driver})`;
  }

  /** An image's layers, base first. Throws code `not_found` when one is missing or incomplete. */
  layersOf(image: StoredImage): readonly StoredLayer[] {
    const layers: StoredLayer[] = [];
    for (let id = image.topLayer; id !== undefined;) {
      const layer = this.#layers.get(id);
      if (layer === undefined) throw missingLayer(image, id, "is missing");
      if (layer.isIncomplete) throw missingLayer(image, id, "is incomplete");
      if (layers.includes(layer)) throw missingLayer(image, id, "is its own parent");
      layers.push(layer);
      id = layer.parent;
    }
    return layers.reverse();
  }

  /**
   * Reads and verifies a document of an image. Throws code `not_found` when it is missing, `digest`
   * when its bytes do not have the digest in the records.
   */
  document(image: StoredImage, name: string): { readonly digest: Digest; readonly bytes: Buffer } {
    const digest = image.documents.get(name);
    const what = `The image's ${quoteText(name)} in the storage`;
    if (digest === undefined) throw new DenrootError("not_found", `${what} is missing`);
    const bytes = readFile(this.documentPath(image, name), what, MAX_DOCUMENT_SIZE);
    verifyDigest(bytes, digest, what);
    return { digest, bytes };
  }

  documentPath(image: StoredImage, name: string): string {
    // containers/storage encodes all names except the simplest, because they become file names.
    const isPlain = /^[.0-9a-z]*$/.test(name);
    return path.join(
      image.directory,
      isPlain ? name : `=${Buffer.from(name).toString("base64")}`,
    );
  }

  /**
   * Finds a layer's unpacked files. Throws code `not_found` when they are missing, `unsupported` when
   * they are stored in a way that denroot cannot read.
   */
  unpackedLayer({ id }: StoredLayer): Exclude<LocalBlob, FileBlob> {
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
    // A link may lead to any files, and a layer without a digest would not reveal it.
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

  /** The first of the roots that has the file. */
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
    `${quotePath(roots[0]!)} is not an image storage: it has no "overlay-images" or "vfs-images"`,
    { hint: "Name the storage: containers-storage:[overlay@/path/to/storage]IMAGE" },
  );
}

/** Throws code `file` when the file's directory cannot be read. */
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
    `The storage ${quotePath(root)} has only images of the driver ${driver}`,
    { hint: `Name that driver: containers-storage:[${driver}@${plainText(root, 300)}]IMAGE` },
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

/** Gives no records when the file does not exist, as in a new storage. */
function readRecords(file: string): readonly unknown[] {
  const what = `The storage's file ${quotePath(file)}`;
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

function readFile(file: string, what: string, limit: number): Buffer {
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

function readError(what: string, cause: unknown): DenrootError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") {
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

function missingLayer(image: StoredImage, id: string, how: string): DenrootError {
  return new DenrootError("not_found", `Layer ${id} of image ${image.id} ${how} in the storage`, {
    hint: "Another program may be changing the image: try again, or pull the image again",
  });
}

/** The way to get an image out of a storage that denroot cannot read. */
const PUSH = {
  hint: "Export the image with podman push IMAGE oci:/path/to/layout, and import that layout",
};

function unknownDriver(driver: string): DenrootError {
  const message = `The storage has the driver ${quoteText(driver)}; denroot reads overlay and vfs`;
  return new DenrootError("unsupported", message, PUSH);
}

function composefs(): DenrootError {
  const message = "The storage keeps its layers in composefs, which denroot does not read";
  return new DenrootError("unsupported", message, PUSH);
}

/** Whether the file is inside the directory when all links are followed. */
function isWithin(file: string, directory: string): boolean {
  return fs.realpathSync(file).startsWith(path.join(fs.realpathSync(directory), "/"));
}

function leadsOut(file: string, store: string): DenrootError {
  return new DenrootError(
    "unsupported",
    `A link on the way to ${quotePath(file)} leads out of the storage`,
    { hint: `Replace the link in ${plainText(store, 300)} with a bind mount of its target` },
  );
}

function foreignLayer(): DenrootError {
  const message = "A layer is in an additional layer store, which denroot does not read";
  return new DenrootError("unsupported", message, PUSH);
}
