/** Sends a blob to a registry, and goes on after failures where the registry can. */

import { hasCode, throwIfAborted } from "../../../errors.ts";
import type { Retries } from "../../../http/retry.ts";
import { StreamedBody } from "../../../http/streamed_body.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import type { Descriptor } from "../../../types/image.ts";
import type { OpenBlob } from "../../../types/source.ts";
import { BlobBytes } from "./blob_bytes.ts";
import { RefusedError } from "../response_error.ts";
import { hasBlob } from "./has_blob.ts";
import { UploadSession } from "./upload_session.ts";
import type { Writer } from "./writer.ts";

/**
 * Uses the session that a refused mount has opened, if there is one. A failed upload is cancelled.
 * Throws `TransferError` of the registry, and the errors of the blob's own bytes unchanged; code
 * `digest` for wrong ones, which are never committed.
 */
export async function uploadBlob(
  blob: Descriptor,
  open: OpenBlob,
  writer: Writer,
  opened: UploadSession | undefined,
  signal: AbortSignal,
): Promise<void> {
  const upload = new BlobUpload(blob, open, writer, opened);
  try {
    while (!await upload.attempt(signal));
  } finally {
    await upload.end();
  }
}

class BlobUpload {
  readonly #blob: Descriptor;
  readonly #bytes: BlobBytes;
  readonly #writer: Writer;
  readonly #retries: Retries;
  #session: UploadSession | undefined;
  /** Whether a session that was cut may be gone on with. */
  #mayResume = true;
  /** The byte that the last resumed attempt began at. */
  #resumedAt = 0;
  /** The size of the last body, and when it was begun to be sent. */
  #sentBytes = 0;
  #sentAt = 0;
  /** Whether this blob goes in parts because one request for all of it took too long. */
  #isInParts = false;
  #redirects = 0;
  /** How often the token was renewed before a byte more was taken, and at which byte. */
  #renewals = 0;
  #renewedAt = 0;

  constructor(
    blob: Descriptor,
    open: OpenBlob,
    writer: Writer,
    session: UploadSession | undefined,
  ) {
    this.#blob = blob;
    this.#bytes = new BlobBytes(blob, open, writer.limits.checkpointBytes);
    this.#writer = writer;
    this.#retries = writer.newRetries();
    this.#session = session;
  }

  /** Whether the registry has the blob now. Throws when another attempt would not help. */
  async attempt(signal: AbortSignal): Promise<boolean> {
    try {
      this.#session ??= await UploadSession.open(this.#blob, this.#writer, signal);
      await this.#sendRest(this.#session, signal);
      await this.#session.close(signal);
      this.#session = undefined;
      return true;
    } catch (error) {
      return await this.#recover(error, signal);
    }
  }

  async end(): Promise<void> {
    this.#bytes.close();
    await this.#session?.cancel();
  }

  async #sendRest(session: UploadSession, signal: AbortSignal): Promise<void> {
    const { size } = this.#blob;
    const { limits, partBytes = this.#isInParts ? limits.partBytes[0]! : size } = this.#writer;
    // A blob without bytes has to be that too.
    if (size === 0) { for await (const _ of this.#bytes.read(0, 0)); }
    while (session.offset < size) {
      const start = session.offset;
      const end = Math.min(size, start + Math.max(partBytes, session.minPartBytes));
      const isWhole = start === 0 && end === size;
      const body = new StreamedBody(end - start, this.#bytes.read(start, end));
      this.#sentBytes = body.size;
      this.#sentAt = performance.now();
      await session.patch(body, isWhole ? undefined : { start, end }, signal);
    }
  }

  /** Whether the registry has the blob now. Throws `error` when another attempt would not help. */
  async #recover(error: unknown, signal: AbortSignal): Promise<boolean> {
    const { failure } = this.#bytes;
    this.#bytes.close();
    throwIfAborted(signal);
    if (failure !== undefined) {
      const mayBeginAnew = hasCode(failure.error, "range_unsupported") && this.#session?.offset;
      if (!mayBeginAnew) throw failure.error;
      // A source that cannot begin in the middle never can.
      this.#mayResume = false;
      await this.#beginAnew();
      return false;
    }
    const session = this.#session;
    // What opens a session was tried again already.
    if (session === undefined || !(error instanceof TransferError)) throw error;
    if (this.#isElsewhere(error) || this.#hasNewToken(error, session)) return false;
    if (isTooLarge(error)) {
      this.#takeSmallerParts(error, session);
      await this.#beginAnew();
      return false;
    }
    const isOver = this.#isOver(error);
    const wasLong = this.#wasLong(error);
    await this.#retries.wait(isOver ? asTransient(error) : error, signal);
    // It did nothing but refuse: the session is as it was, and more questions would not help.
    if (error.code === "rate_limit") return false;
    if (isOver) this.#mayResume = this.#isInParts = false;
    if (await this.#goOn(session, signal)) return true;
    // Where it goes on, each request is shorter anyway.
    if (wasLong && this.#session === undefined) this.#isInParts = true;
    return false;
  }

  /** After a failure that may pass: the end may have reached the registry, or a part of the bytes. */
  async #goOn(session: UploadSession, signal: AbortSignal): Promise<boolean> {
    if (await hasBlob(this.#blob, this.#writer, signal)) return true;
    if (!this.#mayResume || !await session.resume(signal)) {
      await this.#beginAnew();
      return false;
    }
    const gained = session.offset - this.#resumedAt;
    if (gained >= this.#writer.limits.progressBytes) this.#retries.forgive();
    this.#resumedAt = session.offset;
    return false;
  }

  async #beginAnew(): Promise<void> {
    await this.#session?.cancel();
    this.#session = undefined;
    this.#resumedAt = 0;
  }

  /** The session knows the new place of its upload. */
  #isElsewhere({ status }: TransferError): boolean {
    if (status !== 307 && status !== 308) return false;
    return ++this.#redirects <= this.#writer.limits.redirects;
  }

  /** The old token was refused before the registry took any byte: the session is as it was. */
  #hasNewToken({ status, transient }: TransferError, { offset }: UploadSession): boolean {
    if (status !== 401 || !transient) return false;
    if (offset > this.#renewedAt) this.#renewals = 0;
    this.#renewedAt = offset;
    return ++this.#renewals <= this.#writer.limits.challenges;
  }

  /** Throws `error` when the registry takes no smaller parts, or does not take the smallest either. */
  #takeSmallerParts(error: TransferError, { minPartBytes }: UploadSession): void {
    const writer = this.#writer;
    const isLess = (bytes: number | undefined): bytes is number =>
      bytes !== undefined && bytes < this.#sentBytes;
    if (minPartBytes >= this.#sentBytes) throw error;
    // Another blob may have found the size meanwhile.
    const next = isLess(writer.partBytes) ? writer.partBytes : writer.limits.partBytes.find(isLess);
    if (next === undefined) throw error;
    writer.partBytes = next;
  }

  /** Whether a proxy may have cut the request because of its length: some allow a quarter of an hour. */
  #wasLong({ status }: TransferError): boolean {
    const { longRequestMs } = this.#writer.limits;
    return status === undefined && performance.now() - this.#sentAt >= longRequestMs;
  }

  /** Whether the session is lost, or of no use, but a new one may do better. */
  #isOver(error: TransferError): boolean {
    const { status = 0 } = error;
    if (status === 404 || status === 410 || status === 416) return true;
    // A registry may refuse every upload that does not come in one piece.
    const isPart = this.#resumedAt > 0 || this.#isInParts;
    if (isPart && status >= 400 && status < 500 && !error.transient) return true;
    return error instanceof RefusedError && error.codes.some((code) => SESSION_CODES.has(code));
  }
}

/** The registry got other bytes than it was sent, or has forgotten the upload. */
const SESSION_CODES: ReadonlySet<string> = new Set([
  "DIGEST_INVALID",
  "SIZE_INVALID",
  "BLOB_UPLOAD_INVALID",
  "BLOB_UPLOAD_UNKNOWN",
  "RANGE_INVALID",
]);

/** GitHub's registry says so with the status for ranges. */
function isTooLarge({ status, message }: TransferError): boolean {
  return status === 413 || (status === 416 && /too large/i.test(message));
}

function asTransient(error: TransferError): TransferError {
  const { code, message, status, hint } = error;
  return new TransferError(code, message, { cause: error, status, hint, transient: true });
}
