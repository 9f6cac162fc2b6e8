/** A blob's bytes: ranges, resuming, and storages that the registry redirects to. */

import type { ByteRange, Descriptor, Digest } from "../../../types/image.ts";
import {
  type BlobAnswer,
  type BlobPart,
  bytesOf,
  checkAnswer,
  rangeUnsupported,
} from "./blob_answer.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { describePage, isHtml, pageError } from "../answer.ts";
import { PART_HINTS, responseError } from "../response_error.ts";
import { TransferError } from "../../../http/transfer_error.ts";

/**
 * The bytes of `range`, chunk by chunk as they come. A failed attempt is resumed at the byte that it
 * reached, as often as the settings allow, and then at the next endpoint. An attempt that brought
 * much does not count.
 */
export async function* fetchBlob(
  descriptor: Descriptor,
  range: ByteRange | undefined,
  endpoints: Endpoints,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { start, end } = checkedRange(descriptor, range);
  const attempts = endpoints.blobAttempts(descriptor.digest, start);
  let offset = start;
  while (offset < end) {
    const attemptStart = offset;
    const { endpoint } = attempts;
    try {
      const part = { start: offset, end, isFirst: offset === start };
      const answer = await openPart(descriptor, part, endpoint, signal);
      for await (const chunk of bytesOf(answer, descriptor)) {
        offset += chunk.length;
        yield chunk;
      }
    } catch (error) {
      if (offset - attemptStart >= endpoint.limits.progressBytes) attempts.forgive();
      await attempts.recover(error, signal);
    }
  }
  endpoints.delivered(descriptor.digest, start, attempts);
}

function checkedRange(descriptor: Descriptor, range: ByteRange | undefined): ByteRange {
  const { start, end } = range ?? { start: 0, end: descriptor.size };
  if (start >= 0 && start <= end && end <= descriptor.size) return { start, end };
  throw new TypeError(`Range ${start}-${end} is not inside a blob of ${descriptor.size} bytes`);
}

async function openPart(
  descriptor: Descriptor,
  part: BlobPart,
  endpoint: RegistryEndpoint,
  signal: AbortSignal,
): Promise<BlobAnswer> {
  const { targets } = endpoint;
  if (part.start > 0 && part.isFirst && targets.ignoresRanges) throw rangeUnsupported(descriptor);
  const response = await requestPart(descriptor, part, endpoint, signal);
  await refusePage(response, descriptor, endpoint);
  try {
    const answer = checkAnswer(response, descriptor, part);
    if (answer.isRangeIgnored) targets.ignoresRanges = true;
    if (answer.skip > 0 && part.isFirst) throw rangeUnsupported(descriptor);
    return answer;
  } catch (error) {
    response.body.destroy();
    throw error;
  }
}

/** A blob may be of any type, but an HTML page of another length is a proxy's or a login page. */
async function refusePage(
  response: HttpResponse,
  descriptor: Descriptor,
  { limits }: RegistryEndpoint,
): Promise<void> {
  const length = response.header("content-length");
  const isPage = response.status === 200 && isHtml(response) && Number(length) !== descriptor.size;
  if (!isPage) return;
  const text = await response.body.textStart(limits.errorBytes);
  const page = describePage(response, text) ?? "a web page";
  throw pageError(response, `Blob ${descriptor.digest}`, page, true);
}

/** Asks the storage that is known already, then the registry, then the layer's own URLs. */
async function requestPart(
  descriptor: Descriptor,
  part: BlobPart,
  endpoint: RegistryEndpoint,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const headers = rangeHeaders(descriptor, part);
  const reused = await requestKnownTarget(descriptor, headers, endpoint, signal);
  if (reused !== undefined) return reused;
  const request = { headers, actions: ["pull"], signal } as const;
  const response = await endpoint.client.request("GET", `blobs/${descriptor.digest}`, request);
  if (isContent(response)) {
    rememberTarget(descriptor.digest, response, endpoint);
    return response;
  }
  const error = await responseError(
    response,
    `Blob ${descriptor.digest}`,
    endpoint.limits,
    PART_HINTS,
  );
  if (response.status !== 404) throw blobError(error, response, descriptor, endpoint);
  return await requestForeign(descriptor, headers, error, endpoint, signal);
}

/** A signed URL may have expired. That is no failure: the registry is asked again. */
async function requestKnownTarget(
  descriptor: Descriptor,
  headers: Readonly<Record<string, string>>,
  { client, targets, limits }: RegistryEndpoint,
  signal: AbortSignal,
): Promise<HttpResponse | undefined> {
  const target = targets.target(descriptor.digest);
  if (target === undefined) return undefined;
  try {
    const response = await client.requestUrl("GET", target, { headers, actions: ["pull"], signal });
    if (isContent(response)) return response;
    await response.body.textStart(limits.errorBytes);
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
  }
  targets.forget(descriptor.digest);
  return undefined;
}

function rememberTarget(digest: Digest, response: HttpResponse, endpoint: RegistryEndpoint): void {
  if (!endpoint.client.isOwn(response.url)) {
    endpoint.targets.remember(digest, response.url, endpoint.limits.redirectReuseMs);
  }
}

/** A layer that may not be in any registry names URLs to fetch it from (`urls`). */
async function requestForeign(
  descriptor: Descriptor,
  headers: Readonly<Record<string, string>>,
  notFound: TransferError,
  { client, limits }: RegistryEndpoint,
  signal: AbortSignal,
): Promise<HttpResponse> {
  let last = notFound;
  for (const text of (descriptor.urls ?? []).slice(0, limits.redirects)) {
    const url = URL.parse(text);
    if (url === null || !client.mayFetch(url)) continue;
    try {
      const response = await client.requestUrl("GET", url, { headers, actions: ["pull"], signal });
      if (isContent(response)) return response;
      last = await responseError(response, `Layer ${descriptor.digest}`, limits);
    } catch (error) {
      if (!(error instanceof TransferError)) throw error;
      last = error;
    }
  }
  throw last;
}

/** A storage refuses an expired signature: another try gets a new one from the registry. */
function blobError(
  error: TransferError,
  response: HttpResponse,
  descriptor: Descriptor,
  { client }: RegistryEndpoint,
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
