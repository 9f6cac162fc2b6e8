/** A source that is asked for each thing once, though many images or two passes need it. */

import type { Digest, StoredDocument } from "../types/image.ts";
import type { ImageRoot, ImageSource } from "../types/source.ts";

/** The list of a repository's tags, and the documents of one image. Failures are not remembered. */
export function remembering(source: ImageSource): ImageSource {
  const { tags } = source;
  const listTags = tags && once((signal) => tags.call(source, signal));
  const remember = (source: ImageSource): ImageSource => {
    const documents = new Map<Digest, StoredDocument>();
    const root = once<ImageRoot>((signal) => source.root(signal));
    const document: ImageSource["document"] = async (descriptor, signal) => {
      const known = documents.get(descriptor.digest) ?? await source.document(descriptor, signal);
      documents.set(descriptor.digest, known);
      return known;
    };
    return Object.create(source, {
      root: { value: root },
      document: { value: document },
      ...(listTags && { tags: { value: listTags } }),
      ...(source.at && { at: { value: (tag: string) => remember(source.at!(tag)) } }),
    });
  };
  return remember(source);
}

function once<T>(ask: (signal: AbortSignal) => Promise<T>): (signal: AbortSignal) => Promise<T> {
  let known: Promise<T> | undefined;
  return async (signal) => {
    known ??= ask(signal);
    try {
      return await known;
    } catch (error) {
      known = undefined;
      throw error;
    }
  };
}
