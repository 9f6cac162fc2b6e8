/** The places that a list's images come from, each opened once. */

import type { Inventory } from "./archive/inventory.ts";
import { readInventory } from "./archive/read_inventory.ts";
import { remembering } from "./remembering_source.ts";
import type { ImageContext } from "../image/image_options.ts";
import { contextOf, referenceOf, type SideOptions } from "../copy/side_options.ts";
import { asSourceSide, sideOf } from "../copy/sides.ts";
import { formatReference } from "../reference/format_reference.ts";
import { openSource } from "../transport/open_source.ts";
import { openConnections, type RegistryConnections } from "../transport/registry/connections.ts";
import { openArchiveFiles } from "../transport/layout/oci_archive.ts";
import type { SourceContext } from "../transport/source_context.ts";
import type { Reference } from "../types/reference.ts";
import type { ImageSource } from "../types/source.ts";

export class SourcePool implements AsyncDisposable {
  readonly #context: ImageContext & SourceContext;
  readonly #side: SideOptions;
  readonly #opened = new Map<string, Promise<ImageSource>>();
  readonly #inventories = new Map<string, Inventory>();
  readonly #connections = new Map<string, Promise<RegistryConnections>>();

  /** `side` holds for all registries, as far as the list says nothing else about one. */
  constructor(context: ImageContext & SourceContext, side: SideOptions) {
    this.#context = context;
    this.#side = side;
  }

  /** The image that `reference` names. It shares its place with the other images there. */
  async open(reference: Reference, side: SideOptions = {}): Promise<ImageSource> {
    if (reference.scheme === "docker") {
      const { tag, ...repository } = referenceOf(
        reference,
        this.#both(side),
        "source",
      ) as typeof reference;
      if (reference.digest !== undefined || tag === undefined) {
        return await this.#once({ ...repository, tag }, side);
      }
      return (await this.#once({ ...repository, tag: "latest" }, side)).at!(tag);
    }
    if (!("tag" in reference) || reference.tag === undefined) {
      return await this.#once(reference, {});
    }
    const { tag, ...place } = reference;
    return (await this.#once(place as Reference, {})).at!(tag);
  }

  /** What opens registries with these options. */
  async contextFor(side: SideOptions = {}): Promise<ImageContext & SourceContext> {
    const both = this.#both(side);
    const context = contextOf(this.#context, both);
    const key = JSON.stringify(both);
    const known = this.#connections.get(key) ?? openConnections(context);
    this.#connections.set(key, known);
    return { ...context, connections: await known };
  }

  /** What an archive that was opened says about itself, by its path. */
  get inventories(): ReadonlyMap<string, Inventory> {
    return this.#inventories;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const sources = await Promise.allSettled(this.#opened.values());
    for (const source of sources) {
      if (source.status === "fulfilled") await source.value[Symbol.asyncDispose]();
    }
    for (const connections of await Promise.allSettled(this.#connections.values())) {
      if (connections.status === "fulfilled") connections.value.close();
    }
  }

  #both(side: SideOptions): SideOptions {
    const said = Object.entries(side).filter(([, value]) => value !== undefined);
    return { ...this.#side, ...Object.fromEntries(said) };
  }

  #once(reference: Reference, side: SideOptions): Promise<ImageSource> {
    const key = JSON.stringify([reference, side]);
    const known = this.#opened.get(key) ?? this.#open(reference, side);
    this.#opened.set(key, known);
    return known;
  }

  async #open(reference: Reference, side: SideOptions): Promise<ImageSource> {
    const context = reference.scheme === "docker" ? await this.contextFor(side) : this.#context;
    let inventory: Inventory | undefined;
    const open = async () => {
      if (reference.scheme !== "oci-archive") return await openSource(reference, context);
      const archive = await openArchiveFiles(reference, context);
      inventory = await readInventory(archive, reference.path);
      return archive.source;
    };
    const source = asSourceSide(await sideOf("source", formatReference(reference))(open));
    if (inventory !== undefined && reference.scheme === "oci-archive") {
      this.#inventories.set(reference.path, inventory);
    }
    return remembering(source);
  }
}
