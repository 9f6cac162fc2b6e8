/** The few libc calls that neither runtime offers: pairs of descriptors, and writing to one. */

import { loadLibc } from "./libc.ts";

export interface NativeCalls {
  /**
   * A connected pair of stream sockets that no child inherits by accident. The tar stream flows
   * through one: on Linux a socket moves data at a fraction of a pipe's cost.
   */
  socketPair(): [ours: number, theirs: number];
  /** A pipe that no child inherits by accident. */
  pipe(): [readEnd: number, writeEnd: number];
  /** Writes some of `bytes`, and blocks; gives the count, or -1 when the other end is gone. */
  write(descriptor: number, bytes: Uint8Array): number;
  close(descriptor: number): void;
}

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const O_CLOEXEC = 0o2000000;
const SIGNATURES = {
  socketpair: { args: ["i32", "i32", "i32", "buffer"], result: "i32" },
  pipe2: { args: ["buffer", "i32"], result: "i32" },
  write: { args: ["i32", "buffer", "usize"], result: "isize" },
  close: { args: ["i32"], result: "i32" },
} as const;

let loaded: Promise<NativeCalls> | undefined;

/** Loads libc in the running runtime, once in each thread that calls it. */
export function nativeCalls(): Promise<NativeCalls> {
  return loaded ??= load();
}

async function load(): Promise<NativeCalls> {
  const raw = await loadLibc(SIGNATURES);
  return {
    socketPair() {
      const pair = new Int32Array(2);
      if (raw.socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair) !== 0) {
        throw new Error("socketpair failed: too many open files?");
      }
      return [pair[0]!, pair[1]!];
    },
    pipe() {
      const pair = new Int32Array(2);
      if (raw.pipe2(pair, O_CLOEXEC) !== 0) throw new Error("pipe2 failed: too many open files?");
      return [pair[0]!, pair[1]!];
    },
    write(descriptor, bytes) {
      // A call that a signal interrupts fails in the same way; only a repeated failure counts.
      for (let attempt = 0; attempt < 3; attempt++) {
        const count = raw.write(descriptor, bytes, bytes.length);
        if (count >= 0) return count;
      }
      return -1;
    },
    close: (descriptor) => void raw.close(descriptor),
  };
}
