/** Gives tags to an image whose document and content the registry has. */

import { DenrootError } from "../../../errors.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import { plainText } from "../../../text/quote_text.ts";
import type { Digest, StoredDocument } from "../../../types/image.ts";
import { isSameDocument, type Manifests } from "./manifests.ts";

interface TagsOptions {
  readonly replace: boolean;
  /** The repository's name in messages. */
  readonly name: string;
}

/**
 * Writes those of the tags, in their order, that the image does not have. Unless they are replaced
 * anyway, all of them are looked at first: one that may not be taken leaves the others as they are.
 *
 * Throws code `exists` for a tag of another image without `replace`, and for one that the registry does
 * not allow to change.
 */
export async function commitTags(
  tags: readonly string[],
  root: StoredDocument,
  manifests: Manifests,
  { replace, name }: TagsOptions,
  signal: AbortSignal,
): Promise<void> {
  const isSame = (digest: Digest) => isSameDocument(digest, root.digest, root.bytes);
  const missing = new Set(tags);
  for (const tag of replace ? [] : missing) {
    const current = await manifests.find(tag, signal);
    if (current === undefined) continue;
    if (!isSame(current)) throw taken(`${name}:${tag}`, current, root.digest);
    missing.delete(tag);
  }
  for (const tag of missing) {
    try {
      await manifests.put(tag, root, signal);
    } catch (error) {
      if (!isRefusedChange(error)) throw error;
      const current = await manifests.find(tag, signal);
      if (current === undefined) throw error;
      if (!isSame(current)) throw immutable(`${name}:${tag}`, current, error);
    }
  }
}

/** The statuses by which registries refuse to change a tag. The same document went there before. */
function isRefusedChange(error: unknown): error is TransferError {
  return error instanceof TransferError && [400, 403, 405, 409, 412].includes(error.status ?? 0);
}

function taken(name: string, current: Digest, digest: Digest): DenrootError {
  return new DenrootError(
    "exists",
    `${plainText(name, 300)} is another image already, ${current}, and not ${digest}`,
  );
}

function immutable(name: string, current: Digest, cause: TransferError): DenrootError {
  return new DenrootError(
    "exists",
    `The registry does not let ${plainText(name, 300)} change from ${current}: ${cause.message}`,
    { cause, hint: "The registry's settings may forbid that a tag changes: use another tag" },
  );
}
