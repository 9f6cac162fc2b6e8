/** Checks what a server sent for a blob against what was asked for. */

import { DenrootError } from "../../../errors.ts";
import { plainText, quoteText } from "../../../text/quote_text.ts";
import type { ByteRange, Descriptor } from "../../../types/image.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { encodingOf } from "../answer.ts";
import { shownUrl, TransferError } from "../../../http/transfer_error.ts";

/** The bytes to ask for. `isFirst` says that no byte of the blob was handed on yet. */
export interface BlobPart extends ByteRange {
  readonly isFirst: boolean;
}

/** A response: `skip` bytes to leave out, then `expected` bytes to hand on. */
export interface BlobAnswer {
  readonly response: HttpResponse;
  /** The position of the expected bytes in the blob. */
  readonly start: number;
  /** More than 0 when the server began the blob anew. */
  readonly skip: number;
  readonly expected: number;
  /** Whether further bytes are a mistake. */
  readonly isExact: boolean;
  /** Whether a part was asked for and the whole blob came. */
  readonly isRangeIgnored: boolean;
}

/** Checks the headers of a 200 or 206. Throws `TransferError`. */
export function checkAnswer(
  response: HttpResponse,
  descriptor: Descriptor,
  part: BlobPart,
): BlobAnswer {
  const { start, end } = part;
  if (response.status === 200) {
    checkLength(response, descriptor.size, descriptor);
    const isExact = end === descriptor.size;
    const isRangeIgnored = start > 0 || !isExact;
    return { response, start, skip: start, expected: end - start, isExact, isRangeIgnored };
  }
  const given = contentRange(response);
  const isFitting = given !== undefined && given.start === start && given.end > start &&
    given.end <= end && (given.size === undefined || given.size === descriptor.size);
  if (!isFitting) throw wrongRange(response, descriptor, part);
  checkLength(response, given.end - start, descriptor);
  return {
    response,
    start,
    skip: 0,
    expected: given.end - start,
    isExact: true,
    isRangeIgnored: false,
  };
}

/** `bytes 0-99/200`, `bytes 0-99/*`. */
function contentRange(
  response: HttpResponse,
): (ByteRange & { size?: number | undefined }) | undefined {
  const match = /^\s*bytes\s+(\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)\s*$/i
    .exec(response.header("content-range") ?? "");
  if (match === null) return undefined;
  const size = match[3] === "*" ? undefined : Number(match[3]);
  return { start: Number(match[1]), end: Number(match[2]) + 1, size };
}

/** Bytes are taken as they come, whatever the encoding: it explains why they do not fit. */
function encodingNote(response: HttpResponse): string {
  const encoding = encodingOf(response);
  return encoding === undefined
    ? ""
    : `; it was sent with the Content-Encoding ${quoteText(encoding, 40)}, perhaps by a proxy`;
}

function checkLength(response: HttpResponse, expected: number, descriptor: Descriptor): void {
  const text = response.header("content-length");
  // Without the header only the count of the bytes tells.
  if (text === undefined || Number(text) === expected) return;
  throw new TransferError(
    "network",
    `${plainText(response.url.host)} announced ${
      plainText(text, 20)
    } bytes instead of ${expected} for blob ${descriptor.digest}${encodingNote(response)}`,
    { transient: true },
  );
}

/** Yields the expected bytes, no more and no fewer. */
export async function* bytesOf(
  { response, start, skip, expected, isExact }: BlobAnswer,
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
      // Kept back until the end: an attempt with surplus bytes has failed and is made again.
      last = chunk;
    } else {
      yield chunk;
      return;
    }
  }
  if (left > 0) throw shortBody(response, descriptor, start + expected - left);
  if (last !== undefined) yield last;
}

export function rangeUnsupported(descriptor: Descriptor): DenrootError {
  return new DenrootError(
    "range_unsupported",
    `The server cannot send a part of blob ${descriptor.digest}, only the whole`,
  );
}

function wrongRange(response: HttpResponse, descriptor: Descriptor, part: BlobPart): TransferError {
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
    } ended after ${received} of ${descriptor.size} bytes of blob ${descriptor.digest}${
      encodingNote(response)
    }`,
    { transient: true },
  );
}

function surplusBody(response: HttpResponse, descriptor: Descriptor): TransferError {
  return new TransferError(
    "network",
    `${
      plainText(response.url.host)
    } sent more bytes than the ${descriptor.size} of blob ${descriptor.digest}${
      encodingNote(response)
    }`,
    { transient: true },
  );
}
