/** Brings the documents of an image to a destination, children before their parents. */

import type { StoredDocument } from "../types/image.ts";
import type { ImageDestination } from "../types/source.ts";
import { descriptorOf, type DocumentTree, heightsOf } from "./image_tree.ts";
import { inParallel } from "./in_parallel.ts";

interface PutOptions {
  readonly connections: number;
  readonly signal: AbortSignal;
}

/** Gives the number of documents that the destination lacked. */
export async function putDocuments(
  tree: DocumentTree,
  destination: ImageDestination,
  { connections, signal }: PutOptions,
): Promise<number> {
  const heights = heightsOf(tree);
  const levels: StoredDocument[][] = [];
  for (const [digest, { document }] of tree) (levels[heights.get(digest)!] ??= []).push(document);
  let sent = 0;
  for (const level of levels) {
    await inParallel(level, connections, signal, async (document, signal) => {
      if (await destination.hasDocument(descriptorOf(document), signal)) return;
      await destination.putDocument(document, signal);
      sent++;
    });
  }
  return sent;
}
