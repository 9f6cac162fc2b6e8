/**
 * Which archive an image of a destination came from. Archives may be read in any order: with this an
 * older one does not take a name back from a newer one.
 *
 * The record is in this user's cache. Without it, the archive that is read last has its way.
 */

import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { writeFileAtomically } from "../../system/files/atomic_file.ts";
import { isObject } from "../../oci/json_fields.ts";
import type { Digest } from "../../types/image.ts";

interface Arrival {
  /** When the archive was made, by its inventory: RFC 3339 in UTC, which sorts as text. */
  readonly created: string;
  readonly digest: Digest;
}

export class Arrivals {
  readonly #file: string;
  readonly #known: Map<string, Arrival>;

  /** `place` names the destination: a registry's host, or a path. */
  constructor(cachePath: string, place: string) {
    const key = createHash("sha256").update(place).digest("hex").slice(0, 16);
    this.#file = path.join(cachePath, `sync-${key}.json`);
    this.#known = read(this.#file);
  }

  /** Whether the name has what a later archive brought. */
  isNewer(uri: string, current: Digest | undefined, created: string): boolean {
    const arrival = this.#known.get(uri);
    return arrival !== undefined && arrival.created > created && arrival.digest === current;
  }

  /** Notes what the archive is about to bring. It counts only while the name has that digest. */
  note(uri: string, arrival: Arrival): void {
    const known = this.#known.get(uri);
    if (known === undefined || known.created <= arrival.created) this.#known.set(uri, arrival);
  }

  /** A cache that cannot be written costs only this protection. */
  async save(): Promise<void> {
    for (const [uri, arrival] of read(this.#file)) this.note(uri, arrival);
    const bytes = new TextEncoder().encode(JSON.stringify(Object.fromEntries(this.#known)));
    try {
      fs.mkdirSync(path.dirname(this.#file), { recursive: true });
      await writeFileAtomically(this.#file, bytes);
    } catch {
      // Another user's cache, or a full disk.
    }
  }
}

function read(file: string): Map<string, Arrival> {
  try {
    const value: unknown = JSON.parse(fs.readFileSync(file, "utf8"));
    return new Map(Object.entries(isObject(value) ? value as Record<string, Arrival> : {}));
  } catch {
    return new Map();
  }
}
