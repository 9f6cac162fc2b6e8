/** Brings the documents of an image to a destination, children before their parents. */

import type { StoredDocument } from "../types/image.ts";
import type { ImageDestination } from "../types/source.ts";
import { descriptorOf, type DocumentTree, heightsOf } from "./image_tree.ts";
import { inParallel } from "./in_parallel.ts";

interface PutOptions {
  readonly connections: number;
  readonly signal: AbortSignal;
}

export async function putDocuments(
  tree: DocumentTree,
  destination: ImageDestination,
  { connections, signal }: PutOptions,
): Promise<void> {
  const heights = heightsOf(tree);
  const levels: StoredDocument[][] = [];
  for (const [digest, { document }] of tree) (levels[heights.get(digest)!] ??= []).push(document);
  for (const level of levels) {
    await inParallel(level, connections, signal, async (document, signal) => {
      if (await destination.hasDocument(descriptorOf(document), signal)) return;
      await destination.putDocument(document, signal);
    });
  }
}
