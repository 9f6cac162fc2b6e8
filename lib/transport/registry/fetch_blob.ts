/** A blob's bytes: ranges, resumption, and every way in which a server can send the wrong ones. */

import type { ByteRange, Descriptor, Digest } from "../../types.ts";
import type { BlobPlaces } from "./blob_places.ts";
import {
  type BlobAnswer,
  type BlobPart,
  bytesOf,
  checkAnswer,
  rangeUnsupported,
} from "./blob_answer.ts";
import type { HttpResponse } from "./http_client.ts";
import type { RegistryLimits } from "./limits.ts";
import type { RegistryClient } from "./registry_client.ts";
import { responseError } from "./response_error.ts";
import type { Retries } from "./retry.ts";
import { TransferError } from "./transfer_error.ts";

export interface BlobContext {
  readonly client: RegistryClient;
  readonly limits: RegistryLimits;
  readonly createRetries: () => Retries;
  readonly places: BlobPlaces;
}

/**
 * The bytes of `range`, chunk by chunk as they come. A failed attempt is resumed at the byte it
 * came to, as often as the settings allow; one that brought much starts the count again.
 */
export async function* fetchBlob(
  descriptor: Descriptor,
  range: ByteRange | undefined,
  context: BlobContext,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { start, end } = checkedRange(descriptor, range);
  if (start > 0 && start < end && context.places.ignoresRanges) throw rangeUnsupported(descriptor);
  const retries = context.createRetries();
  let offset = start;
  while (offset < end) {
    const attemptStart = offset;
    try {
      const part = { start: offset, end, isFirst: offset === start };
      const answer = await openPart(descriptor, part, context, signal);
      for await (const chunk of bytesOf(answer, descriptor)) {
        offset += chunk.length;
        yield chunk;
      }
    } catch (error) {
      if (offset - attemptStart >= context.limits.progressBytes) retries.forgive();
      await retries.wait(error, signal);
    }
  }
}

function checkedRange(descriptor: Descriptor, range: ByteRange | undefined): ByteRange {
  const { start, end } = range ?? { start: 0, end: descriptor.size };
  if (start >= 0 && start <= end && end <= descriptor.size) return { start, end };
  throw new TypeError(`Range ${start}-${end} is not inside a blob of ${descriptor.size} bytes`);
}

async function openPart(
  descriptor: Descriptor,
  part: BlobPart,
  context: BlobContext,
  signal: AbortSignal,
): Promise<BlobAnswer> {
  const response = await requestPart(descriptor, part, context, signal);
  try {
    const answer = checkAnswer(response, descriptor, part);
    if (answer.isRangeIgnored) context.places.ignoresRanges = true;
    if (answer.skip > 0 && part.isFirst) throw rangeUnsupported(descriptor);
    return answer;
  } catch (error) {
    response.body.destroy();
    throw error;
  }
}

/** Asks the storage known from before, then the registry, then the layer's own URLs. */
async function requestPart(
  descriptor: Descriptor,
  part: BlobPart,
  context: BlobContext,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const headers = rangeHeaders(descriptor, part);
  const reused = await requestKnownTarget(descriptor, headers, context, signal);
  if (reused !== undefined) return reused;
  const response = await context.client.get(`blobs/${descriptor.digest}`, headers, signal);
  if (isContent(response)) {
    rememberTarget(descriptor.digest, response, context);
    return response;
  }
  const error = await responseError(response, `Blob ${descriptor.digest}`, context.limits);
  if (response.status !== 404) throw blobError(error, response, descriptor, context);
  return await requestForeign(descriptor, headers, error, context, signal);
}

/** A signed URL may have expired: then the registry is asked again, and nothing has failed yet. */
async function requestKnownTarget(
  descriptor: Descriptor,
  headers: Readonly<Record<string, string>>,
  { client, places, limits }: BlobContext,
  signal: AbortSignal,
): Promise<HttpResponse | undefined> {
  const target = places.target(descriptor.digest);
  if (target === undefined) return undefined;
  try {
    const response = await client.getUrl(target, headers, signal);
    if (isContent(response)) return response;
    await response.body.textStart(limits.errorBytes);
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
  }
  places.forget(descriptor.digest);
  return undefined;
}

function rememberTarget(digest: Digest, response: HttpResponse, context: BlobContext): void {
  if (!context.client.isOwn(response.url)) {
    context.places.remember(digest, response.url, context.limits.redirectReuseMs);
  }
}

/** Layers that may not be pushed to a registry name the places where they are (`urls`). */
async function requestForeign(
  descriptor: Descriptor,
  headers: Readonly<Record<string, string>>,
  notFound: TransferError,
  { client, limits }: BlobContext,
  signal: AbortSignal,
): Promise<HttpResponse> {
  let last = notFound;
  for (const text of (descriptor.urls ?? []).slice(0, limits.redirects)) {
    const url = URL.parse(text);
    if (url === null || !client.mayFetch(url)) continue;
    try {
      const response = await client.getUrl(url, headers, signal);
      if (isContent(response)) return response;
      last = await responseError(response, `Layer ${descriptor.digest}`, limits);
    } catch (error) {
      if (!(error instanceof TransferError)) throw error;
      last = error;
    }
  }
  throw last;
}

/** A refusal by the storage, not by the registry, is that of a signature: the next has a new one. */
function blobError(
  error: TransferError,
  response: HttpResponse,
  descriptor: Descriptor,
  { client }: BlobContext,
): TransferError {
  if (client.isOwn(response.url) || response.status < 400 || response.status >= 500) return error;
  return new TransferError(
    "registry",
    `The storage of blob ${descriptor.digest} refused: ${error.message}`,
    { cause: error, transient: true, status: response.status },
  );
}

function rangeHeaders(descriptor: Descriptor, part: BlobPart): Readonly<Record<string, string>> {
  const isWhole = part.start === 0 && part.end === descriptor.size;
  return isWhole ? {} : { range: `bytes=${part.start}-${part.end - 1}` };
}

function isContent(response: HttpResponse): boolean {
  return response.status === 200 || response.status === 206;
}
