/** Runs bytes through a node stream such that every error comes out in one place. */

import { pipeline, type Readable, type Transform } from "node:stream";

/** Yields what `transform` makes of `input`. Throws the first error of either. */
export async function* through(input: Readable, transform: Transform): AsyncIterable<Uint8Array> {
  let failure: Error | undefined;
  pipeline(input, transform, (error) => failure = error ?? undefined);
  try {
    for await (const chunk of transform) yield chunk as Uint8Array;
  } catch (error) {
    throw failure ?? error;
  }
  if (failure !== undefined) throw failure;
}
