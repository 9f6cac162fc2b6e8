/** Runs bytes through one of node's zlib streams so that all errors come out in one place. */

import type { Transform } from "node:stream";

export interface ThroughOptions {
  /**
   * Works on the calling thread, which has nothing else to do meanwhile. That saves a fifth of the
   * processor time, because no piece changes threads or becomes garbage: all pieces of the output
   * share one buffer, so each is to be used up before the next is asked for.
   */
  readonly here?: boolean;
}

/** These parts are the same in Node, Bun and Deno, but stand in no manual. */
interface ZlibParts {
  readonly _handle?: Partial<Codec> | null;
  /** What a call leaves: how much of the output is free, and how much of the input is unused. */
  readonly _writeState?: Uint32Array;
}

interface Codec {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  /** `writeSync` calls it when the data is damaged. */
  onerror: (message: string) => void;
}

const OUTPUT_SIZE = 256 * 1024;
const NOTHING = new Uint8Array();

/**
 * Yields what `transform` makes of `input`; `finish` is the flush value for the input's end. A piece
 * of the input is no longer needed when the next is asked for, so one buffer can serve for all.
 * Throws the first error of either.
 */
export async function* throughZlib(
  input: AsyncIterable<Uint8Array>,
  transform: Transform,
  finish: number,
  { here }: ThroughOptions = {},
): AsyncIterable<Uint8Array> {
  const { _handle: codec, _writeState: state } = transform as ZlibParts;
  try {
    if (here && codec?.writeSync !== undefined && state !== undefined) {
      yield* onThisThread(input, codec as Codec, state, finish);
    } else {
      yield* onAnother(input, transform);
    }
  } finally {
    transform.destroy();
  }
}

async function* onThisThread(
  input: AsyncIterable<Uint8Array>,
  codec: Codec,
  state: Uint32Array,
  finish: number,
): AsyncIterable<Uint8Array> {
  let failure: string | undefined;
  codec.onerror = (message) => failure = message;
  const output = new Uint8Array(OUTPUT_SIZE);
  for await (const bytes of withEnd(input)) {
    const flush = bytes === NOTHING ? finish : 0;
    let left = bytes.length;
    for (let free = 0; free === 0;) {
      codec.writeSync(flush, bytes, bytes.length - left, left, output, 0, OUTPUT_SIZE);
      if (failure !== undefined) throw new Error(failure);
      free = state[0]!;
      left = state[1]!;
      if (free < OUTPUT_SIZE) yield output.subarray(0, OUTPUT_SIZE - free);
    }
    // Gzip data may end before its input does: padding of zeros may follow.
    if (left > 0) return;
  }
}

async function* withEnd(input: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const bytes of input) if (bytes.length > 0) yield bytes;
  yield NOTHING;
}

async function* onAnother(
  input: AsyncIterable<Uint8Array>,
  transform: Transform,
): AsyncIterable<Uint8Array> {
  let failure: { readonly error: unknown } | undefined;
  feed(input, transform).catch((error) => {
    failure = { error };
    transform.destroy(error);
  });
  for await (const chunk of transform) yield chunk as Uint8Array;
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
