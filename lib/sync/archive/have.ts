/** What the other side of a gap has: an earlier archive, or JSON with digests that was carried back. */

import { readFileSync, statSync } from "node:fs";
import { DenrootError, messageOf } from "../../errors.ts";
import { isDigest } from "../../oci/digest.ts";
import { isObject } from "../../oci/json_fields.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { Digest } from "../../types/image.ts";
import {
  type Inventory,
  type InventoryImage,
  MAX_INVENTORY_BYTES,
  parseInventory,
} from "./inventory.ts";

export class Have {
  /** Images by their full names. */
  readonly images = new Map<string, InventoryImage>();
  /** The repositories that have a blob or document; none where only its digest is known. */
  readonly #holders = new Map<Digest, Set<string>>();

  get isEmpty(): boolean {
    return this.#holders.size === 0;
  }

  /** All digests, of documents and blobs. */
  get digests(): Iterable<Digest> {
    return this.#holders.keys();
  }

  /** Undefined when the other side is not known to have it. */
  holdersOf(digest: Digest): readonly string[] | undefined {
    const holders = this.#holders.get(digest);
    return holders && [...holders];
  }

  add(digest: Digest, repository?: string): void {
    const holders = this.#holders.get(digest) ?? new Set();
    if (repository !== undefined) holders.add(repository);
    this.#holders.set(digest, holders);
  }

  /** The archive, and what it was written for, are on the other side. */
  addInventory({ images, known }: Inventory): void {
    for (const image of [...known, ...images]) {
      this.images.set(image.name, image);
      for (const digest of [image.digest, ...image.blobs]) {
        this.add(digest, repositoryOf(image.name));
      }
    }
  }

  /** Every field `digest` counts, wherever it is. Throws code `file` or `manifest`. */
  addFile(path: string): void {
    const what = `The inventory ${quotePath(path)}`;
    let bytes: Uint8Array;
    try {
      if (statSync(path).size > MAX_INVENTORY_BYTES) {
        throw new DenrootError(
          "limit",
          `${what} is larger than ${MAX_INVENTORY_BYTES / 2 ** 20} MiB`,
        );
      }
      bytes = readFileSync(path);
    } catch (cause) {
      if (cause instanceof DenrootError) throw cause;
      throw new DenrootError("file", `${what} cannot be read: ${messageOf(cause)}`, { cause });
    }
    this.#addJson(bytes, what);
  }

  #addJson(bytes: Uint8Array, what: string): void {
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new DenrootError("manifest", `${what} is not JSON`, {
        cause,
        hint: "Write it on the other side with denroot manifests --json",
      });
    }
    const inventory = isObject(value) ? parseInventory(bytes, what) : undefined;
    if (inventory !== undefined) return this.addInventory(inventory);
    this.#addDigests(value);
    if (this.isEmpty) throw new DenrootError("manifest", `${what} names no digests`);
  }

  #addDigests(value: unknown): void {
    const left = [value];
    for (let one = left.pop(); one !== undefined || left.length > 0; one = left.pop()) {
      if (Array.isArray(one)) left.push(...one);
      if (!isObject(one)) continue;
      for (const [key, field] of Object.entries(one)) {
        if (/^digest$/i.test(key) && typeof field === "string" && isDigest(field)) this.add(field);
        else if (typeof field === "object" && field !== null) left.push(field);
      }
    }
  }
}

/** `docker.io/library/alpine`, of a full name with a tag or a digest. */
export function repositoryOf(name: string): string {
  const end = name.indexOf("@") >= 0 ? name.indexOf("@") : name.lastIndexOf(":");
  return end > name.lastIndexOf("/") ? name.slice(0, end) : name;
}
