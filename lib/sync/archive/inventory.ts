/**
 * The inventory of an archive that crosses a gap: its first member. It says what the archive has, what
 * it needs on the other side, and what else the other side is taken to have.
 */

import { DenrootError } from "../../errors.ts";
import { Fields, parseJsonObject } from "../../oci/json_fields.ts";
import { isDigest } from "../../oci/digest.ts";
import type { Digest } from "../../types/image.ts";

export const INVENTORY = "denroot-inventory.json";
/** A hundred thousand blobs need about this many bytes. */
export const MAX_INVENTORY_BYTES = 64 * 1024 * 1024;
const VERSION = 1;

export interface InventoryImage {
  /** The full name: `docker.io/library/alpine:3.20`. */
  readonly name: string;
  readonly digest: Digest;
  /** The configurations and layers of the image, and of what refers to it. */
  readonly blobs: readonly Digest[];
}

export interface InventoryBlob {
  readonly digest: Digest;
  readonly size: number;
}

/** A blob of the archive's images that is not in it. */
export interface NeededBlob extends InventoryBlob {
  /** Full names, without a tag, of repositories that have it on the other side. */
  readonly in: readonly string[];
}

export interface Inventory {
  /** When the images' tags were looked up: RFC 3339. */
  readonly created: string;
  readonly images: readonly InventoryImage[];
  /** Members, in their order: documents first. */
  readonly blobs: readonly InventoryBlob[];
  readonly needs: readonly NeededBlob[];
  /** Images that are not in this archive, and that the other side is taken to have. */
  readonly known: readonly InventoryImage[];
}

export function inventoryBytes(inventory: Inventory): Uint8Array {
  return new TextEncoder().encode(
    `${JSON.stringify({ denrootInventory: VERSION, ...inventory }, undefined, 1)}\n`,
  );
}

/** Undefined for JSON that is no inventory. Throws code `manifest` for one that is broken. */
export function parseInventory(bytes: Uint8Array, what: string): Inventory | undefined {
  const fields = new Fields(parseJsonObject(bytes, what), what);
  if (!fields.has("denrootInventory")) return undefined;
  if (fields.count("denrootInventory") !== VERSION) {
    throw new DenrootError("unsupported", `${what} is of a later version of denroot`);
  }
  const entries = (name: string) => fields.array(name).map((one) => new Fields(one, what));
  return {
    created: fields.string("created"),
    images: entries("images").map((one) => toImage(one, what)),
    blobs: entries("blobs").map((one) => toBlob(one, what)),
    needs: entries("needs").map((one) => ({ ...toBlob(one, what), in: one.strings("in") })),
    known: entries("known").map((one) => toImage(one, what)),
  };
}

function toImage(fields: Fields, what: string): InventoryImage {
  const blobs = fields.strings("blobs").map((digest) => checked(digest, what));
  return { name: fields.string("name"), digest: checked(fields.string("digest"), what), blobs };
}

function toBlob(fields: Fields, what: string): InventoryBlob {
  return { digest: checked(fields.string("digest"), what), size: fields.count("size") };
}

function checked(digest: string, what: string): Digest {
  if (isDigest(digest)) return digest;
  throw new DenrootError("manifest", `${what} has a digest that is invalid`);
}
