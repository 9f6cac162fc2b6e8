/**
 * The images and layers of a storage, and where their files are. The storage's locks are not needed
 * to read them, because its writers replace the files of records as a whole.
 */

import { Buffer } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import { DenrootError, systemCode } from "../../errors.ts";
import { verifyDigest } from "../../oci/digest.ts";
import { plainText, quotePath, quoteText } from "../../text/quote_text.ts";
import type { Digest } from "../../types/image.ts";
import type { FileBlob, LocalBlob } from "../../types/source.ts";
import {
  readError,
  readImages,
  readLayers,
  readStorageFile,
  type StoredImage,
  type StoredLayer,
} from "./records.ts";
import type { StoragePlace } from "../../containers_conf/storage_conf.ts";

const DRIVERS = ["overlay", "vfs"] as const;
type Driver = typeof DRIVERS[number];

/** In bytes. */
const MAX_DOCUMENT_SIZE = 16 * 1024 * 1024;

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
    this.images = roots.flatMap((root) => readImages(path.join(root, `${this.#driver}-images`)));
    for (
      const layer of roots.flatMap((root) => readLayers(path.join(root, `${this.#driver}-layers`)))
    ) {
      if (!this.#layers.has(layer.id)) this.#layers.set(layer.id, layer);
    }
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
    const bytes = readStorageFile(this.documentPath(image, name), what, MAX_DOCUMENT_SIZE);
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
    if (systemCode(cause) === "ENOTDIR") return false;
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
