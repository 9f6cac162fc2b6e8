/** What denroot needs from an engine: Docker or podman. */

import { DenrootError, hasCode } from "../../errors.ts";
import { isDigest } from "../../oci/digest.ts";
import { Fields } from "../../oci/json_fields.ts";
import { quoteText } from "../../text/quote_text.ts";
import type { Digest, Platform } from "../../types/image.ts";

export interface Engine {
  /** The engine's name in messages: `the Docker daemon at unix:///var/run/docker.sock`. */
  readonly name: string;
  /**
   * Describes the image that the engine has under a name; the engine resolves the name. When the
   * engine has the image for several platforms, `platform` chooses one. Throws code `not_found`.
   */
  inspect(image: string, platform: Platform, signal: AbortSignal): Promise<EngineImage>;
  /**
   * The image as an archive of `docker save`. Its `return()` resolves when the engine has removed its
   * temporary files.
   */
  save(image: EngineImage, signal: AbortSignal): AsyncIterableIterator<Uint8Array>;
}

/** The part of an engine's description of an image that denroot uses. */
export interface EngineImage {
  /**
   * The digest of the configuration. It is the digest of a manifest or an index where Docker keeps
   * its images in containerd's store.
   */
  readonly id: Digest;
  /** Digests of the uncompressed layers, base first. */
  readonly diffIds: readonly Digest[];
  readonly platform: Platform;
}

/** Parses the fields that `docker image inspect` and `podman image inspect` have in common. */
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

/** Gives the ID without its algorithm: both engines accept it as a name. */
export function bareId({ id }: EngineImage): string {
  return id.slice(id.indexOf(":") + 1);
}

/** podman writes IDs without their algorithm. */
function toDigest(text: string, what: string): Digest {
  const digest = text.includes(":") ? text : `sha256:${text}`;
  if (isDigest(digest)) return digest;
  throw new DenrootError("manifest", `${what} is invalid: ${quoteText(text)} is not a digest`);
}

/** Whether `error` has code `not_found`. */
export function isNotFound(error: unknown): boolean {
  return hasCode(error, "not_found");
}
