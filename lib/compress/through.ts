/** Runs bytes through a node stream so that all errors come out in one place. */

import type { Transform } from "node:stream";

/**
 * Yields what `transform` makes of `input`. A piece of the input is no longer needed when the next
 * is asked for, so one buffer can serve for all. Throws the first error of either.
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
  // On Deno an error that comes while output still waits to be read ends the loop quietly.
  if (failure !== undefined) throw failure.error;
}

async function feed(input: AsyncIterable<Uint8Array>, transform: Transform): Promise<void> {
  for await (const bytes of input) {
    // Gzip data may end before its input does: padding of zeros may follow.
    if (transform.readableEnded || transform.destroyed) return;
    await new Promise<void>((resolve, reject) =>
      transform.write(bytes, (error) => error ? reject(error) : resolve())
    );
  }
  transform.end();
}
