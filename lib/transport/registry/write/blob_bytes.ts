/** A blob's bytes on their way to a registry: verified as they pass, from any byte on. */

import type { Hash } from "node:crypto";
import { createDigestHash } from "../../../oci/digest.ts";
import type { Descriptor } from "../../../types/image.ts";
import type { OpenBlob } from "../../../types/source.ts";
import { tooLong, tooShort, verifyHash } from "../../take_blob.ts";

/** The hash of all bytes before `offset`: a stream that was cut goes on there. */
interface Checkpoint {
  readonly offset: number;
  readonly hash: Hash;
}

/** One opened stream. One that was left may still be waiting for bytes, so it shares no state. */
interface Run {
  readonly chunks: AsyncIterator<Uint8Array>;
  readonly hash: Hash;
  hashed: number;
  /** What the reader has got, or what was left out for it. */
  given: number;
  /** How many bytes to leave out: the reader has them already. */
  skip: number;
  /** Bytes that were hashed and not given. */
  rest: Uint8Array | undefined;
}

export class BlobBytes {
  readonly #descriptor: Descriptor;
  readonly #open: OpenBlob;
  readonly #checkpointBytes: number;
  readonly #checkpoints: Checkpoint[];
  #failure: { readonly error: unknown } | undefined;
  #run: Run | undefined;

  /** A checkpoint is made every so many bytes. */
  constructor(descriptor: Descriptor, open: OpenBlob, checkpointBytes: number) {
    this.#checkpointBytes = checkpointBytes;
    this.#descriptor = descriptor;
    this.#open = open;
    this.#checkpoints = [{ offset: 0, hash: createDigestHash(descriptor.digest) }];
  }

  /** What the bytes themselves failed with: the registry is not to blame. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /**
   * The bytes from `start` to `end`: the stream that is open goes on, or a new one begins. After the
   * last byte of the blob this throws code `digest` unless the digest and the size of the whole are
   * right. Throws the errors of the bytes' source unchanged.
   */
  async *read(start: number, end: number): AsyncGenerator<Uint8Array, void, void> {
    let run: Run | undefined;
    try {
      run = this.#run ??= this.#begin(start);
      while (run.given < end) yield await this.#next(run, end);
      if (end === this.#descriptor.size) await this.#verify(run);
    } catch (error) {
      // What a stream fails with that was left is of no interest.
      if (run === this.#run) this.#failure = { error };
      throw error;
    }
  }

  /** Ends the stream: the next {@link read} opens another one. A failure is forgotten. */
  close(): void {
    // A source that is waiting for its own bytes may end later: nobody needs to wait for it.
    this.#run?.chunks.return?.().catch(() => {});
    this.#run = undefined;
    this.#failure = undefined;
  }

  /** Begins at the last known state before `start`, so that all bytes are hashed. */
  #begin(start: number): Run {
    const { offset, hash } = this.#checkpoints.findLast(({ offset }) => offset <= start)!;
    return {
      chunks: this.#open(offset)[Symbol.asyncIterator](),
      hash: hash.copy(),
      hashed: offset,
      given: offset,
      skip: start - offset,
      rest: undefined,
    };
  }

  async #next(run: Run, end: number): Promise<Uint8Array> {
    for (;;) {
      const chunk = run.rest ?? await this.#pull(run);
      run.rest = undefined;
      if (chunk === undefined) throw tooShort(this.#descriptor, run.hashed);
      const skipped = Math.min(run.skip, chunk.length);
      run.skip -= skipped;
      run.given += skipped;
      const wanted = chunk.subarray(skipped, skipped + end - run.given);
      run.given += wanted.length;
      if (skipped + wanted.length < chunk.length) {
        run.rest = chunk.subarray(skipped + wanted.length);
      }
      if (wanted.length > 0) return wanted;
    }
  }

  async #verify(run: Run): Promise<void> {
    if (await this.#pull(run) !== undefined) throw tooLong(this.#descriptor);
    verifyHash(run.hash.copy(), this.#descriptor.digest);
  }

  /** The source's next bytes, hashed; undefined at its end. */
  async #pull(run: Run): Promise<Uint8Array | undefined> {
    for (;;) {
      const { value, done } = await run.chunks.next();
      if (done) return undefined;
      if (value.length === 0) continue;
      run.hashed += value.length;
      if (run.hashed > this.#descriptor.size) throw tooLong(this.#descriptor);
      run.hash.update(value);
      if (run.hashed >= this.#checkpoints.at(-1)!.offset + this.#checkpointBytes) {
        this.#checkpoints.push({ offset: run.hashed, hash: run.hash.copy() });
      }
      return value;
    }
  }
}
