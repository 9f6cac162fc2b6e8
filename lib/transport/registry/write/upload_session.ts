/** One upload of a blob, as the registry keeps it (distribution-spec, "Pushing Blobs"). */

import type { HttpResponse } from "../../../http/client.ts";
import { isRedirect } from "../../../http/redirect.ts";
import type { StreamedBody } from "../../../http/streamed_body.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import type { ByteRange, Descriptor } from "../../../types/image.ts";
import { uploadLocation, withDigest } from "./upload_location.ts";
import type { Writer } from "./writer.ts";

const OCTETS = { "content-type": "application/octet-stream" };

export class UploadSession {
  /** How many bytes the registry has taken. */
  offset = 0;
  /** The smallest part that the registry takes, the last one excepted; 0 for any. */
  readonly minPartBytes: number;
  readonly #blob: Descriptor;
  readonly #writer: Writer;
  #location: URL;

  private constructor(
    blob: Descriptor,
    writer: Writer,
    location: URL,
    minPartBytes: number,
  ) {
    this.#blob = blob;
    this.#writer = writer;
    this.#location = location;
    this.minPartBytes = minPartBytes;
  }

  static async open(
    blob: Descriptor,
    writer: Writer,
    signal: AbortSignal,
  ): Promise<UploadSession> {
    const what = `The upload of blob ${blob.digest} to ${writer.name}`;
    const request = { method: "POST", target: "blobs/uploads/", what, accepted: [202] } as const;
    return await UploadSession.of(await writer.send(request, signal), blob, writer);
  }

  /** The session that an answer with status 202 tells of. */
  static async of(
    response: HttpResponse,
    blob: Descriptor,
    writer: Writer,
  ): Promise<UploadSession> {
    const location = await uploadLocation(response, writer.client);
    if (location === undefined) throw noLocation(writer);
    const length = response.header("oci-chunk-min-length")?.trim() ?? "";
    const minPartBytes = /^\d{1,15}$/.test(length) ? Number(length) : 0;
    return new UploadSession(blob, writer, location, minPartBytes);
  }

  /**
   * Sends the bytes from {@link offset} on. `range` is given for a part of the blob: a whole one has
   * no Content-Range, which some registries refuse.
   *
   * A registry that wants the same bytes at another place throws with the status of the redirect, and
   * the session knows the place then.
   */
  async patch(
    body: StreamedBody,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const response = await this.#writer.sendOnce({
      method: "PATCH",
      target: this.#location,
      what: this.#what("Blob"),
      headers: {
        ...OCTETS,
        ...(range && { "content-range": `${range.start}-${range.end - 1}` }),
      },
      body,
      accepted: [200, 201, 202, 204, 307, 308],
    }, signal);
    this.#location = await uploadLocation(response, this.#writer.client) ?? this.#location;
    if (isRedirect(response)) throw moved(this.#what("Blob"), response);
    // What its Range says is not to be relied on: one registry gives that of the first part always.
    this.offset += body.size;
  }

  /** Makes the bytes that were sent the blob. */
  async close(signal: AbortSignal): Promise<void> {
    await this.#writer.sendOnce({
      method: "PUT",
      target: withDigest(this.#location, this.#blob.digest),
      what: this.#what("The end of blob"),
      headers: OCTETS,
      accepted: [200, 201, 204],
    }, signal);
  }

  /**
   * Asks what the registry kept of an upload that was cut, and gives false unless it can go on there.
   * Registries that lose a cut upload do not know it any more.
   */
  async resume(signal: AbortSignal): Promise<boolean> {
    // The status of an upload at a storage is another protocol.
    if (!this.#writer.client.isOwn(this.#location)) return false;
    let response: HttpResponse;
    try {
      response = await this.#findPlace(signal);
    } catch (error) {
      if (error instanceof TransferError) return false;
      throw error;
    }
    // "0-0" is what a new session has: nothing. It is not worth going on with one byte either.
    const last = Number(/^(?:bytes=)?0-(\d{1,15})$/.exec(response.header("range") ?? "")?.[1] ?? 0);
    if (last === 0 || last >= this.#blob.size) return false;
    this.offset = last + 1;
    return true;
  }

  /**
   * Tells the registry to forget the upload. One that does not forgets it by itself some day. After a cut
   * some know an upload at its new place only, which moves as long as they store what has come.
   */
  async cancel(): Promise<void> {
    const { client, limits } = this.#writer;
    if (!client.isOwn(this.#location)) return;
    const signal = AbortSignal.timeout(limits.cancelTimeoutMs);
    try {
      for (let round = 0; !await this.#isForgotten(signal); round++) {
        if (round === limits.cancelRounds) return;
        await this.#findPlace(signal);
      }
    } catch {
      // It may be gone, or the registry may be: there is nothing left to do.
    }
  }

  /** False when the registry wants another place than the one that is known. */
  async #isForgotten(signal: AbortSignal): Promise<boolean> {
    const response = await this.#writer.sendOnce({
      method: "DELETE",
      target: this.#location,
      what: this.#what("Blob"),
      actions: ["pull", "push", "delete"],
      accepted: [200, 202, 204, 400, 416],
    }, signal);
    await response.body.textStart(this.#writer.limits.errorBytes);
    return response.status < 400;
  }

  async #findPlace(signal: AbortSignal): Promise<HttpResponse> {
    const { client, limits } = this.#writer;
    const what = this.#what("Blob");
    const request = { method: "GET", target: this.#location, what, accepted: [204] } as const;
    const response = await this.#writer.sendOnce(request, signal);
    await response.body.textStart(limits.errorBytes);
    this.#location = await uploadLocation(response, client) ?? this.#location;
    return response;
  }

  #what(thing: string): string {
    return `${thing} ${this.#blob.digest} for ${this.#writer.name}`;
  }
}

function noLocation({ name }: Writer): TransferError {
  return new TransferError("registry", `${name} opened an upload and did not say where it goes on`);
}

function moved(what: string, { status }: HttpResponse): TransferError {
  return new TransferError("registry", `${what}: the registry moved the upload`, { status });
}
