/** A blob's bytes: ranges, resumption, and every way in which a server can send the wrong ones. */

import { DenrootError } from "../../errors.ts";
import { plainText } from "../../oci/quote_text.ts";
import type { ByteRange, Descriptor, Digest } from "../../types.ts";
import type { HttpResponse } from "./http_client.ts";
import type { RegistryLimits } from "./limits.ts";
import type { RegistryClient } from "./registry_client.ts";
import { responseError } from "./response_error.ts";
import type { Retries } from "./retry.ts";
import { shownUrl, TransferError } from "./transfer_error.ts";

export interface BlobContext {
  readonly client: RegistryClient;
  readonly limits: RegistryLimits;
  readonly createRetries: () => Retries;
  readonly places: BlobPlaces;
}

/** What is known of where blobs lie and how they are served; shared by a source's transfers. */
export class BlobPlaces {
  /** Whether a whole blob came when a part was asked for. */
  ignoresRanges = false;
  readonly #targets = new Map<Digest, { url: URL; until: number }>();

  /** The storage that the registry sent us to for this blob a short while ago. */
  target(digest: Digest): URL | undefined {
    const target = this.#targets.get(digest);
    return target !== undefined && performance.now() < target.until ? target.url : undefined;
  }

  remember(digest: Digest, url: URL, reuseMs: number): void {
    this.#targets.set(digest, { url, until: performance.now() + reuseMs });
  }

  forget(digest: Digest): void {
    this.#targets.delete(digest);
  }
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
      for await (const chunk of bytesOfPart(answer, descriptor)) {
        offset += chunk.length;
        yield chunk;
      }
    } catch (error) {
      if (offset - attemptStart >= context.limits.progressBytes) retries.forgive();
      await retries.wait(error, signal);
    }
  }
}

/** What is asked for: `isFirst` while nothing has been handed on. */
interface Part extends ByteRange {
  readonly isFirst: boolean;
}

/** A response whose bytes, after the first `skip`, begin with the `expected` ones. */
interface Answer {
  readonly response: HttpResponse;
  /** Where the expected bytes lie in the blob. */
  readonly start: number;
  /** Not 0 when the server began the blob anew. */
  readonly skip: number;
  readonly expected: number;
  /** Whether more bytes than those are wrong. */
  readonly isExact: boolean;
}

function checkedRange(descriptor: Descriptor, range: ByteRange | undefined): ByteRange {
  const { start, end } = range ?? { start: 0, end: descriptor.size };
  if (start >= 0 && start <= end && end <= descriptor.size) return { start, end };
  throw new TypeError(`Range ${start}-${end} is not inside a blob of ${descriptor.size} bytes`);
}

async function openPart(
  descriptor: Descriptor,
  part: Part,
  context: BlobContext,
  signal: AbortSignal,
): Promise<Answer> {
  const response = await requestPart(descriptor, part, context, signal);
  try {
    return toAnswer(response, descriptor, part, context.places);
  } catch (error) {
    response.body.destroy();
    throw error;
  }
}

/** Asks the storage known from before, then the registry, then the layer's own URLs. */
async function requestPart(
  descriptor: Descriptor,
  part: Part,
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

function rangeHeaders(descriptor: Descriptor, part: Part): Readonly<Record<string, string>> {
  const isWhole = part.start === 0 && part.end === descriptor.size;
  return isWhole ? {} : { range: `bytes=${part.start}-${part.end - 1}` };
}

function isContent(response: HttpResponse): boolean {
  return response.status === 200 || response.status === 206;
}

/** Checks the headers against what was asked for. */
function toAnswer(
  response: HttpResponse,
  descriptor: Descriptor,
  part: Part,
  places: BlobPlaces,
): Answer {
  const { start, end } = part;
  if (response.status === 200) {
    if (start > 0 || end < descriptor.size) places.ignoresRanges = true;
    if (start > 0 && part.isFirst) throw rangeUnsupported(descriptor);
    checkLength(response, descriptor.size, descriptor);
    return {
      response,
      start,
      skip: start,
      expected: end - start,
      isExact: end === descriptor.size,
    };
  }
  const given = contentRange(response);
  const isFitting = given !== undefined && given.start === start && given.end > start &&
    given.end <= end && (given.size === undefined || given.size === descriptor.size);
  if (!isFitting) throw wrongRange(response, descriptor, part);
  checkLength(response, given.end - start, descriptor);
  return { response, start, skip: 0, expected: given.end - start, isExact: true };
}

/** `bytes 0-99/200`, `bytes 0-99/*`. */
function contentRange(response: HttpResponse): (ByteRange & { size?: number }) | undefined {
  const match = /^\s*bytes\s+(\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)\s*$/i
    .exec(response.header("content-range") ?? "");
  if (match === null) return undefined;
  const size = match[3] === "*" ? undefined : Number(match[3]);
  return { start: Number(match[1]), end: Number(match[2]) + 1, size };
}

function checkLength(response: HttpResponse, expected: number, descriptor: Descriptor): void {
  const text = response.header("content-length");
  // Without the header the bytes are counted as they come.
  if (text === undefined || Number(text) === expected) return;
  throw new TransferError(
    "network",
    `${plainText(response.url.host)} announced ${
      plainText(text, 20)
    } bytes instead of ${expected} for blob ${descriptor.digest}`,
    { transient: true },
  );
}

/** Yields the expected bytes, no more and no fewer. */
async function* bytesOfPart(
  { response, start, skip, expected, isExact }: Answer,
  descriptor: Descriptor,
): AsyncGenerator<Uint8Array, void, void> {
  let [toSkip, left] = [skip, expected];
  let last: Uint8Array | undefined;
  for await (const received of response.body) {
    const passed = Math.min(toSkip, received.length);
    toSkip -= passed;
    let chunk = passed === 0 ? received : received.subarray(passed);
    if (chunk.length === 0) continue;
    if (chunk.length > left) {
      if (isExact) throw surplusBody(response, descriptor);
      chunk = chunk.subarray(0, left);
    }
    left -= chunk.length;
    if (left > 0) {
      yield chunk;
    } else if (isExact) {
      // Kept back until the end: with a surplus the attempt has failed and is made again.
      last = chunk;
    } else {
      yield chunk;
      return;
    }
  }
  if (left > 0) throw shortBody(response, descriptor, start + expected - left);
  if (last !== undefined) yield last;
}

function rangeUnsupported(descriptor: Descriptor): DenrootError {
  return new DenrootError(
    "range_unsupported",
    `The server sends blob ${descriptor.digest} as a whole only`,
  );
}

function wrongRange(response: HttpResponse, descriptor: Descriptor, part: Part): TransferError {
  const given = plainText(response.header("content-range") ?? "nothing", 60);
  return new TransferError(
    "network",
    `${plainText(response.url.host)} answered a request for bytes ${part.start}-${
      part.end - 1
    } of blob ${descriptor.digest} with the range ${given}`,
    { transient: true },
  );
}

function shortBody(
  response: HttpResponse,
  descriptor: Descriptor,
  received: number,
): TransferError {
  return new TransferError(
    "network",
    `${
      shownUrl(response.url)
    } ended after ${received} of ${descriptor.size} bytes of blob ${descriptor.digest}`,
    { transient: true },
  );
}

function surplusBody(response: HttpResponse, descriptor: Descriptor): TransferError {
  return new TransferError(
    "network",
    `${
      plainText(response.url.host)
    } sent more bytes than the ${descriptor.size} of blob ${descriptor.digest}`,
    { transient: true },
  );
}
