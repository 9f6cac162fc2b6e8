/** Runs bytes through a node stream such that every error comes out in one place. */

import { pipeline, type Readable, type Transform } from "node:stream";

/** Yields what `transform` makes of `input`. Throws the first error of either. */
export async function* through(input: Readable, transform: Transform): AsyncIterable<Uint8Array> {
  let failure: NodeJS.ErrnoException | undefined;
  pipeline(input, transform, (error) => failure = error ?? undefined);
  try {
    for await (const chunk of transform) yield chunk as Uint8Array;
  } catch (error) {
    throw failure ?? error;
  }
  // Some gzip data ends before its input does: zeros may fill up what is behind it.
  if (failure !== undefined && failure.code !== "ERR_STREAM_PREMATURE_CLOSE") throw failure;
}
