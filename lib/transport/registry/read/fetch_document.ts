/** Fetches and verifies manifests and indexes. */

import { digestOf, isDigest, verifyDigest } from "../../../oci/digest.ts";
import { ACCEPTED_MANIFESTS, essenceOf, isSchema1Type } from "../../../oci/media_types.ts";
import { mediaTypeOf, parseManifestOrIndex } from "../../../oci/parse_manifest.ts";
import { plainText } from "../../../text/quote_text.ts";
import type { Digest, StoredDocument } from "../../../types/image.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { announcedDigest, readJsonAnswer } from "../answer.ts";
import { PART_HINTS, responseError } from "../response_error.ts";
import { TransferError } from "../../../http/transfer_error.ts";

/**
 * Fetches the document that has the tag or digest `name` from the first of the endpoints that has it;
 * later requests begin with that endpoint. `image` is the image's name in messages. `isPart` says that
 * an index of the image names the document.
 *
 * The request is always a GET and the bytes are always hashed, because a registry need not answer
 * HEAD or send a digest. Throws code `digest` when the bytes do not have the digest that was asked
 * for or announced, `limit` for a document that is too large, and what `parseManifestOrIndex` and the
 * endpoints throw.
 */
export async function fetchDocument(
  name: string,
  image: string,
  endpoints: Endpoints,
  signal: AbortSignal,
  isPart = false,
): Promise<StoredDocument> {
  const what = `${WHAT}${image}`;
  const attempts = endpoints.attempts(what);
  for (;;) {
    try {
      const { response, bytes } = await fetchOnce(
        name,
        what,
        attempts.endpoint,
        isPart ? PART_HINTS : { MANIFEST_UNKNOWN: tagsHint(name, what) },
        signal,
      );
      const type = response.header("content-type");
      // The digest of a signed schema 1 manifest does not cover its signatures and would not match:
      // this gives the error about schema 1 instead.
      if (isSchema1Type(essenceOf(type))) parseManifestOrIndex(bytes, type);
      const digest = verifiedDigest(name, bytes, response, what);
      const mediaType = mediaTypeOf(parseManifestOrIndex(bytes, type));
      attempts.settle();
      return { digest, bytes, mediaType };
    } catch (error) {
      await attempts.recover(error, signal);
    }
  }
}

const WHAT = "The manifest of ";

async function fetchOnce(
  name: string,
  what: string,
  { client, limits }: RegistryEndpoint,
  hints: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<{ response: HttpResponse; bytes: Uint8Array }> {
  // A registry answers 404 for an image that has none of these types.
  const headers = { accept: ACCEPTED_MANIFESTS.join(", ") };
  const response = await client.request("GET", `manifests/${name}`, {
    headers,
    actions: ["pull"],
    signal,
  });
  if (response.status !== 200) {
    throw await responseError(response, what, limits, hints);
  }
  const tooLong = () => tooLarge(what, limits.manifestBytes);
  const bytes = await readJsonAnswer(response, what, limits.manifestBytes, tooLong);
  return { response, bytes };
}

/**
 * Gives the digest that was asked for, or else the announced one, or else that of the bytes. The
 * first two are verified.
 */
function verifiedDigest(
  name: string,
  bytes: Uint8Array,
  response: HttpResponse,
  what: string,
): Digest {
  const announced = announcedDigest(response);
  if (isDigest(name)) verifyDigest(bytes, name, what);
  if (announced !== undefined) {
    verifyDigest(bytes, announced, `${what} (announced by ${plainText(response.url.host)})`);
  }
  return isDigest(name) ? name : announced ?? digestOf(bytes);
}

/** The command that lists the tags which a repository has instead. */
function tagsHint(name: string, what: string): string | undefined {
  const image = what.slice(WHAT.length);
  return !isDigest(name) && image.endsWith(`:${name}`)
    ? `Check the name and the tag: denroot tags docker://${image.slice(0, -name.length - 1)} ` +
      "lists the tags that there are"
    : undefined;
}

function tooLarge(what: string, limit: number): TransferError {
  return new TransferError("limit", `${what} is larger than ${limit / 1024 / 1024} MiB`);
}
