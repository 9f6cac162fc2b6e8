/** A repository that takes images: `docker://…` -> `ImageDestination`. */

import { locationName, writeLocation } from "../../../containers_conf/image_locations.ts";
import { DenrootError, throwIfAborted } from "../../../errors.ts";
import { verifyDigest } from "../../../oci/digest.ts";
import { formatReference } from "../../../reference/format_reference.ts";
import { plainText } from "../../../text/quote_text.ts";
import type { Descriptor, Digest, StoredDocument } from "../../../types/image.ts";
import type { DockerReference } from "../../../types/reference.ts";
import type { CommitOptions, ImageDestination, OpenBlob } from "../../../types/source.ts";
import type { SourceContext } from "../../source_context.ts";
import { clientAt, connectionsOf, type RegistryConnections } from "../connections.ts";
import { DEFAULT_LIMITS, type RegistryLimits } from "../limits.ts";
import { commitTags } from "./commit_tags.ts";
import { hasBlob } from "./has_blob.ts";
import { Manifests } from "./manifests.ts";
import { addReferrer, subjectOf } from "./referrers_index.ts";
import { uploadBlob } from "./upload_blob.ts";
import { UploadSession } from "./upload_session.ts";
import { Writer } from "./writer.ts";

export interface RegistryDestination
  extends Required<Omit<ImageDestination, "currentId" | "takesOnlyImages" | "finish">> {
  at(tag: string): RegistryDestination;

  /**
   * Deletes a tag; the document that has it stays. Throws code `not_found` when there is none, and
   * `unsupported` where the registry forbids it: many delete by digest only.
   */
  deleteTag(tag: string, signal: AbortSignal): Promise<void>;

  /**
   * Deletes a manifest or an index, and with it all its tags. Throws code `not_found` when there is
   * none, and `unsupported` where the registry forbids it.
   */
  deleteManifest(digest: Digest, signal: AbortSignal): Promise<void>;
}

/**
 * Opens no connection before the first request. Mirrors are never written to. Throws code `settings`
 * when `registries.conf` cannot be used or blocks the image.
 */
export async function openRegistryDestination(
  reference: DockerReference,
  context: Omit<SourceContext, "blobs" | "platform">,
  limits: RegistryLimits = DEFAULT_LIMITS,
): Promise<RegistryDestination> {
  const { settings, onProgress, signal } = context;
  const connections = await connectionsOf(context, limits);
  throwIfAborted(signal);
  const location = writeLocation(reference, connections.conf);
  const { allowHttp, maxConnections, transferRetries: retries } = settings;
  const client = clientAt(location, reference, { connections, allowHttp, limits });
  const name = plainText(locationName(location), 300);
  const writer = new Writer({ name, client, limits, retries, maxConnections, onProgress });
  return new Destination(reference, {
    writer,
    connections,
    manifests: new Manifests(writer),
    opened: new Map(),
  });
}

/** What all tags of one repository share. */
interface Repository {
  readonly writer: Writer;
  readonly connections: RegistryConnections;
  readonly manifests: Manifests;
  /** Uploads that a refused mount has opened, by digest. */
  readonly opened: Map<Digest, UploadSession>;
}

class Destination implements RegistryDestination {
  readonly uri: string;
  /** A manifest that gets a tag is found by its digest too. */
  readonly commitStoresRoot: boolean;
  readonly #reference: DockerReference;
  readonly #repository: Repository;
  readonly #writer: Writer;
  readonly #manifests: Manifests;
  readonly #opened: Map<Digest, UploadSession>;

  constructor(reference: DockerReference, repository: Repository) {
    this.uri = formatReference(reference);
    this.commitStoresRoot = reference.tag !== undefined;
    this.#reference = reference;
    this.#repository = repository;
    this.#writer = repository.writer;
    this.#manifests = repository.manifests;
    this.#opened = repository.opened;
  }

  at(tag: string): RegistryDestination {
    return new Destination({ ...this.#reference, tag, digest: undefined }, this.#repository);
  }

  async current(signal: AbortSignal): Promise<Digest | undefined> {
    const { tag } = this.#reference;
    return tag === undefined ? undefined : await this.#manifests.find(tag, signal);
  }

  async hasBlob(descriptor: Descriptor, signal: AbortSignal): Promise<boolean> {
    return await hasBlob(descriptor, this.#writer, signal);
  }

  async hasDocument({ digest }: Descriptor, signal: AbortSignal): Promise<boolean> {
    return await this.#manifests.find(digest, signal) !== undefined;
  }

  async mount(descriptor: Descriptor, repository: string, signal: AbortSignal): Promise<boolean> {
    const { digest } = descriptor;
    const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(repository)}`;
    try {
      const response = await this.#writer.sendOnce({
        method: "POST",
        target: `blobs/uploads/?${query}`,
        what: `Blob ${digest} of ${plainText(repository)} for ${this.#writer.name}`,
        furtherScopes: [{ repository, actions: ["pull"] }],
        accepted: [201, 202],
      }, signal);
      if (response.status === 201) return true;
      this.#opened.set(digest, await UploadSession.of(response, descriptor, this.#writer));
    } catch (error) {
      throwIfAborted(signal);
      // Registries refuse in many ways what they cannot mount: the blob is sent then.
      if (!(error instanceof DenrootError)) throw error;
    }
    return false;
  }

  async putBlob(descriptor: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<void> {
    const opened = this.#opened.get(descriptor.digest);
    this.#opened.delete(descriptor.digest);
    await uploadBlob(descriptor, open, this.#writer, opened, signal);
  }

  async putDocument(document: StoredDocument, signal: AbortSignal): Promise<void> {
    const { digest, bytes } = document;
    verifyDigest(bytes, digest, `The manifest for ${this.#writer.name}`);
    const response = await this.#manifests.put(digest, document, signal);
    const subject = subjectOf(document);
    if (subject === undefined || response.header("oci-subject") !== undefined) return;
    await addReferrer(document, subject, this.#manifests, this.#writer, signal);
  }

  async commit(
    root: StoredDocument,
    { replace, furtherTags }: CommitOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const { tag, digest } = this.#reference;
    if (digest !== undefined && digest !== root.digest) throw otherDigest(this.uri, root);
    const tags = [...(tag === undefined ? [] : [tag]), ...furtherTags];
    const { name } = this.#writer;
    await commitTags(tags, root, this.#manifests, { replace, name }, signal);
  }

  async deleteTag(tag: string, signal: AbortSignal): Promise<void> {
    await this.#manifests.delete(tag, signal);
  }

  async deleteManifest(digest: Digest, signal: AbortSignal): Promise<void> {
    await this.#manifests.delete(digest, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#opened.values()].map((session) => session.cancel()));
    this.#repository.connections.close();
  }
}

function otherDigest(uri: string, { digest }: StoredDocument): DenrootError {
  return new DenrootError(
    "digest",
    `The image for ${plainText(uri, 300)} has the digest ${digest}`,
  );
}
