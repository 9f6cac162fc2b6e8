/** What an engine, Docker or podman, is asked for. */

import { DenrootError, hasCode } from "../../errors.ts";
import { isDigest } from "../../oci/digest.ts";
import { Fields } from "../../oci/json_fields.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { Digest, Platform } from "../../types/image.ts";

export interface Engine {
  /** What messages call it: `the Docker daemon at unix:///var/run/docker.sock`. */
  readonly name: string;
  /**
   * What the engine has under that name, for `platform` if it has a choice; names are resolved as
   * the engine does. Throws code `not_found`.
   */
  inspect(image: string, platform: Platform, signal: AbortSignal): Promise<EngineImage>;
  /** The image as `docker save` writes it; `return()` resolves when nothing is left of it. */
  save(image: EngineImage, signal: AbortSignal): AsyncIterableIterator<Uint8Array>;
}

/** The part of an engine's description of an image that denroot uses. */
export interface EngineImage {
  /**
   * Digest of the configuration; of a manifest or an index where Docker keeps its images in
   * containerd's store.
   */
  readonly id: Digest;
  /** Digests of the uncompressed layers, base first. */
  readonly diffIds: readonly Digest[];
  readonly platform: Platform;
}

/** Reads what `docker image inspect` and `podman image inspect` have in common. */
export function parseEngineImage(description: unknown, what: string): EngineImage {
  const fields = new Fields(description, what);
  const layers = new Fields(fields.optionalObject("RootFS") ?? {}, `${what}, "RootFS"`);
  const variant = fields.optionalString("Variant");
  return {
    id: toDigest(fields.string("Id"), what),
    diffIds: layers.strings("Layers").map((digest) => toDigest(digest, what)),
    platform: {
      os: fields.optionalString("Os") || "linux",
      architecture: fields.optionalString("Architecture") ?? "",
      ...(variant && { variant }),
    },
  };
}

/** The ID alone, as both engines take it for a name. */
export function bareId({ id }: EngineImage): string {
  return id.slice(id.indexOf(":") + 1);
}

/** podman writes IDs without their algorithm. */
function toDigest(text: string, what: string): Digest {
  const digest = text.includes(":") ? text : `sha256:${text}`;
  if (isDigest(digest)) return digest;
  throw new DenrootError("manifest", `${what} is invalid: ${quoteText(text)} is not a digest`);
}

/** Whether `error` says that something is not there. */
export function isNotFound(error: unknown): boolean {
  return hasCode(error, "not_found");
}
