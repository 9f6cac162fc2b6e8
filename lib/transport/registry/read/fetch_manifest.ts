/** Manifests and indexes: fetched whole, verified, walked down to the one for a platform. */

import { choosePlatform } from "../../../oci/choose_platform.ts";
import { digestOf, isDigest, verifyDigest } from "../../../oci/digest.ts";
import { ACCEPTED_MANIFESTS, essenceOf, isSchema1Type } from "../../../oci/media_types.ts";
import {
  type ManifestOrIndex,
  mediaTypeOf,
  parseManifestOrIndex,
} from "../../../oci/parse_manifest.ts";
import { plainText } from "../../../text/quote_text.ts";
import type {
  Descriptor,
  Digest,
  Platform,
  ResolvedImage,
  StoredDocument,
} from "../../../types/image.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";
import type { HttpResponse } from "../../../http/client.ts";
import type { RegistryLimits } from "../limits.ts";
import { responseError } from "../response_error.ts";
import { TransferError } from "../../../http/transfer_error.ts";

export interface ManifestRequest {
  /** A tag or a digest. */
  readonly name: string;
  /** How the image is called in messages. */
  readonly image: string;
  readonly platform: Platform;
}

export interface ManifestContext {
  readonly endpoints: Endpoints;
  readonly limits: RegistryLimits;
}

/**
 * The manifest that `request` names, for its platform; from the first place that has it, and what
 * an index names from there on. Always a GET and always hashed: a registry
 * need not answer HEAD, nor send a digest.
 */
export async function fetchManifest(
  request: ManifestRequest,
  context: ManifestContext,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  let { name } = request;
  const outer: Descriptor[] = [];
  const documents: StoredDocument[] = [];
  for (let depth = 0; depth <= context.limits.indexDepth; depth++) {
    const { digest, bytes, parsed } = await fetchVerified(name, request, context, signal);
    documents.push({ digest, bytes, mediaType: mediaTypeOf(parsed) });
    if (parsed.kind === "manifest") return { digest, manifest: parsed.manifest, documents };
    name = choosePlatform(parsed.index.manifests, request.platform, outer).digest;
    outer.push(...parsed.index.manifests);
  }
  throw new TransferError(
    "limit",
    `The image ${request.image} has indexes inside indexes, deeper than ${context.limits.indexDepth}`,
  );
}

async function fetchVerified(
  name: string,
  request: ManifestRequest,
  context: ManifestContext,
  signal: AbortSignal,
): Promise<{ digest: Digest; bytes: Uint8Array; parsed: ManifestOrIndex }> {
  const what = `The manifest of ${request.image}`;
  const attempts = context.endpoints.attempts(what);
  for (;;) {
    try {
      const { response, bytes } = await fetchOnce(name, what, attempts.endpoint, signal);
      const type = response.header("content-type");
      // A signed schema 1 manifest's digest leaves its signatures out: refused for what it is.
      if (isSchema1Type(essenceOf(type))) parseManifestOrIndex(bytes, type);
      const digest = verifiedDigest(name, bytes, response, what);
      const parsed = parseManifestOrIndex(bytes, type);
      attempts.settle();
      return { digest, bytes, parsed };
    } catch (error) {
      await attempts.recover(error, signal);
    }
  }
}

async function fetchOnce(
  name: string,
  what: string,
  { client, limits }: RegistryEndpoint,
  signal: AbortSignal,
): Promise<{ response: HttpResponse; bytes: Uint8Array }> {
  // A type left out would be a 404 for an image that has only that one.
  const headers = { accept: ACCEPTED_MANIFESTS.join(", ") };
  const response = await client.request("GET", `manifests/${name}`, {
    headers,
    actions: ["pull"],
    signal,
  });
  if (response.status !== 200) throw await responseError(response, what, limits);
  const announced = Number(response.header("content-length") ?? 0);
  if (announced > limits.manifestBytes) {
    response.body.destroy();
    throw tooLarge(what, limits.manifestBytes);
  }
  const bytes = await response.body.bytes(
    limits.manifestBytes,
    () => tooLarge(what, limits.manifestBytes),
  );
  return { response, bytes };
}

/** The digest asked for, else the one announced, else the bytes' own; each one holds. */
function verifiedDigest(
  name: string,
  bytes: Uint8Array,
  response: HttpResponse,
  what: string,
): Digest {
  const announced = response.header("docker-content-digest")?.trim() ?? "";
  if (isDigest(name)) verifyDigest(bytes, name, what);
  if (isDigest(announced)) {
    verifyDigest(bytes, announced, `${what} (announced by ${plainText(response.url.host)})`);
  }
  if (isDigest(name)) return name;
  return isDigest(announced) ? announced : digestOf(bytes);
}

function tooLarge(what: string, limit: number): TransferError {
  return new TransferError("limit", `${what} is larger than ${limit / 1024 / 1024} MiB`);
}
