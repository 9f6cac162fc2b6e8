/** Manifests and tags of one repository: asked for, put, deleted. */

import { DenrootError } from "../../../errors.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import { digestOf, isDigest, parseDigest } from "../../../oci/digest.ts";
import { ACCEPTED_MANIFESTS } from "../../../oci/media_types.ts";
import { plainText } from "../../../text/quote_text.ts";
import type { Digest, StoredDocument } from "../../../types/image.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { announcedDigest } from "../answer.ts";
import { RefusedError } from "../response_error.ts";
import type { Writer } from "./writer.ts";

export class Manifests {
  readonly #writer: Writer;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  /** The digest of what has the tag or digest `name`; undefined when nothing has. */
  async find(name: string, signal: AbortSignal): Promise<Digest | undefined> {
    const head = await this.#ask("HEAD", name, [200, 404, 405], signal);
    if (head.status === 404) return undefined;
    const announced = announcedDigest(head);
    if (head.status === 200 && announced !== undefined) return announced;
    const document = await this.read(name, signal);
    return document && digestOf(document.bytes);
  }

  /** The document with its headers; undefined when there is none. Its digest is not verified. */
  async read(
    name: string,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Uint8Array; readonly etag: string | undefined } | undefined> {
    const { manifestBytes, errorBytes } = this.#writer.limits;
    const response = await this.#ask("GET", name, [200, 404], signal);
    if (response.status === 404) {
      await response.body.textStart(errorBytes);
      return undefined;
    }
    const bytes = await response.body.bytes(manifestBytes, () => tooLarge(this.#what(name)));
    return { bytes, etag: response.header("etag") };
  }

  /**
   * Stores the document under `name`: its digest, or a tag. Throws code `registry` when the registry
   * gives it another digest. With `etag` throws status 412 when the tag has changed since then.
   */
  async put(
    name: string,
    { mediaType, bytes, digest }: StoredDocument,
    signal: AbortSignal,
    { etag }: { readonly etag?: string | undefined } = {},
  ): Promise<HttpResponse> {
    const response = await this.#writer.send({
      method: "PUT",
      target: `manifests/${name}`,
      what: this.#what(name),
      headers: { "content-type": mediaType, ...(etag !== undefined && { "if-match": etag }) },
      body: bytes,
      accepted: [200, 201, 202, 204],
    }, signal);
    const announced = announcedDigest(response);
    if (announced !== undefined && !isSameDocument(announced, digest, bytes)) {
      throw changed(this.#what(name), announced, digest);
    }
    return response;
  }

  /**
   * Deletes what has the tag or digest `name`. Throws code `not_found` when nothing has, and
   * `unsupported` where the registry forbids it.
   */
  async delete(name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#writer.send({
        method: "DELETE",
        target: `manifests/${name}`,
        what: this.#what(name),
        actions: ["pull", "push", "delete"],
        accepted: [200, 202, 204],
      }, signal);
    } catch (error) {
      throw isForbidden(error, name) ? undeletable(this.#what(name), name, error) : error;
    }
  }

  #ask(
    method: "GET" | "HEAD",
    name: string,
    accepted: readonly number[],
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const target = `manifests/${name}`;
    const headers = { accept: ACCEPTED_MANIFESTS.join(", ") };
    return this.#writer.send({ method, target, headers, what: this.#what(name), accepted }, signal);
  }

  #what(name: string): string {
    return isDigest(name)
      ? `The manifest ${name} for ${this.#writer.name}`
      : `The tag ${plainText(name)} of ${this.#writer.name}`;
  }
}

/** Whether `other` is the digest of these bytes: the registry may use another algorithm. */
export function isSameDocument(other: Digest, digest: Digest, bytes: Uint8Array): boolean {
  return other === digest || other === digestOf(bytes, parseDigest(other).algorithm);
}

/** Registries that delete by digest only take a tag for a bad digest. */
function isForbidden(error: unknown, name: string): error is RefusedError {
  return error instanceof RefusedError &&
    (error.status === 405 || error.codes.includes("UNSUPPORTED") ||
      (!isDigest(name) && error.status === 400));
}

function undeletable(what: string, name: string, cause: RefusedError): DenrootError {
  const reason = cause.message.startsWith(`${what}: `)
    ? cause.message.slice(what.length + 2)
    : cause.message;
  return new DenrootError("unsupported", `${what} cannot be deleted: ${reason}`, {
    cause,
    hint: isDigest(name)
      ? "The registry's administrator can allow that images are deleted"
      : `Delete the image by its digest, and with it all its tags: denroot digest tells it`,
  });
}

function tooLarge(what: string): DenrootError {
  return new DenrootError("limit", `${what} leads to a document that is too large`);
}

function changed(what: string, actual: Digest, expected: Digest): TransferError {
  return new TransferError(
    "registry",
    `${what}: the registry stored it as ${actual}, not as ${expected}`,
    { hint: "A proxy, or the registry itself, changes manifests on their way" },
  );
}
