/** Runs bytes through a node stream such that every error comes out in one place. */

import type { Transform } from "node:stream";

/**
 * Yields what `transform` makes of `input`. Each piece of the input has been used up when the next
 * is asked for, so that one buffer serves for all. Throws the first error of either.
 */
export async function* through(
  input: AsyncIterable<Uint8Array>,
  transform: Transform,
): AsyncIterable<Uint8Array> {
  let failure: { readonly error: unknown } | undefined;
  feed(input, transform).catch((error) => {
    failure = { error };
    transform.destroy(error);
  });
  try {
    for await (const chunk of transform) yield chunk as Uint8Array;
  } finally {
    transform.destroy();
  }
  // Deno ends quietly when an error finds the last of the output waiting to be read.
  if (failure !== undefined) throw failure.error;
}

async function feed(input: AsyncIterable<Uint8Array>, transform: Transform): Promise<void> {
  for await (const bytes of input) {
    // Some gzip data ends before its input does: zeros may fill up what is behind it.
    if (transform.readableEnded || transform.destroyed) return;
    await new Promise<void>((resolve, reject) =>
      transform.write(bytes, (error) => error ? reject(error) : resolve())
    );
  }
  transform.end();
}
