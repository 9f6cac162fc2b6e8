/** Where the images of a list go: a registry with a prefix, or a layout. */

import { contextOf, type SideOptions } from "../../copy/side_options.ts";
import { asDestinationSide, sideOf } from "../../copy/sides.ts";
import { DenrootError } from "../../errors.ts";
import type { ImageContext } from "../../image/image_options.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { ImageName } from "../../reference/image_name.ts";
import { openDestination } from "../../transport/open_destination.ts";
import { openConnections } from "../../transport/registry/connections.ts";
import type { SourceContext } from "../../transport/source_context.ts";
import type { DockerReference, OciReference, Reference } from "../../types/reference.ts";
import type { ImageDestination } from "../../types/source.ts";
import { fullNameOf, type ListedImage } from "../listed_image.ts";
import type { RegistryTarget } from "./parse_target.ts";
import { SharedBlobs } from "./shared_blobs.ts";

export interface Places extends AsyncDisposable {
  /** How many bytes of blobs were sent so far. */
  readonly bytes: number;
  /** What an image of this name becomes. */
  referenceOf(name: ImageName): DockerReference | OciReference;
  /**
   * Present where images are only noted at first, and written by this call. Gives whether something
   * was written; false when all is there already.
   */
  finish?(): Promise<boolean>;
  /** Finds out, before an image is copied, what of it is on the other side of a gap. */
  learn?(image: ListedImage, signal: AbortSignal): Promise<void>;
  /** The place for it. It is not disposed of: all are, together. */
  open(name: ImageName): Promise<ImageDestination>;
}

type Context = ImageContext & SourceContext;

/** One destination for each repository; they share connections and credentials. */
export async function openRegistryPlaces(
  target: RegistryTarget,
  context: Context,
  side: SideOptions,
): Promise<Places> {
  const user = side.user ?? target.user;
  const own = contextOf(context, side);
  const connections = await openConnections(own);
  const blobs = new SharedBlobs();
  const opened = new Map<string, Promise<ImageDestination>>();
  const openOnce = (reference: DockerReference) => {
    const key = JSON.stringify([reference.repository, reference.digest]);
    const known = opened.get(key) ?? openSide(reference, { ...own, connections });
    opened.set(key, known);
    return known;
  };
  return {
    get bytes() {
      return blobs.bytes;
    },
    referenceOf: (name) => inRegistry(name, { ...target, user }),
    async open(name) {
      const { tag, ...repository } = inRegistry(name, { ...target, user });
      const destination = await openOnce(repository);
      const place = tag === undefined ? destination : destination.at!(tag);
      return blobs.at(place, repository.repository);
    },
    async [Symbol.asyncDispose]() {
      await closeAll(opened.values());
      connections.close();
    },
  };
}

export async function openLayoutPlaces(path: string, context: Context): Promise<Places> {
  const layout = await openSide({ scheme: "oci", path }, context);
  const blobs = new SharedBlobs();
  return {
    get bytes() {
      return blobs.bytes;
    },
    referenceOf: (name) => ({ scheme: "oci", path, tag: fullNameOf(name) }),
    open(name) {
      const { registry, repository } = name;
      const place = blobs.at(layout.at!(fullNameOf(name)), path);
      const at = (tag: string) => layout.at!(fullNameOf({ registry, repository, tag }));
      return Promise.resolve(Object.create(place, { at: { value: at } }));
    },
    [Symbol.asyncDispose]: () => layout[Symbol.asyncDispose](),
  };
}

async function openSide(reference: Reference, context: Context): Promise<ImageDestination> {
  const open = () => openDestination(reference, { ...context, replace: true });
  return asDestinationSide(await sideOf("destination", formatReference(reference))(open));
}

async function closeAll(opened: Iterable<Promise<ImageDestination>>): Promise<void> {
  for (const one of await Promise.allSettled(opened)) {
    if (one.status === "fulfilled") await one.value[Symbol.asyncDispose]();
  }
}

/** The registry of the name becomes a part of the path, or is left out. */
function inRegistry(
  { registry, repository, tag, digest }: ImageName,
  { registry: host, user, prefix, scoped }: RegistryTarget,
): DockerReference {
  const scope = scoped && registry !== undefined ? registry.replace(/[^a-z0-9.-]+/g, "_") : "";
  const path = [prefix, scope, repository].filter((part) => part !== "").join("/");
  if (path.length > MAX_REPOSITORY) throw tooLong(path);
  return {
    scheme: "docker",
    registry: host,
    repository: path,
    ...(user !== undefined && { user }),
    ...(tag === undefined ? { digest } : { tag }),
  };
}

/** distribution-spec, "Pulling manifests": clients may limit a name to this length. */
const MAX_REPOSITORY = 255;

function tooLong(path: string): DenrootError {
  return new DenrootError("reference", `The name ${path} is too long for a registry`);
}
