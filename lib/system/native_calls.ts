/** The few libc calls that neither runtime offers: pairs of descriptors, and writing to one. */

export interface NativeCalls {
  /**
   * A connected pair of stream sockets that no child inherits by accident. A socket carries the tar
   * stream: on Linux it moves data for a fraction of a pipe's cost.
   */
  socketPair(): [ours: number, theirs: number];
  /** A pipe that no child inherits by accident. */
  pipe(): [readEnd: number, writeEnd: number];
  /** Writes some of `bytes`, blocking; gives the count, or -1 when the other end is gone. */
  write(descriptor: number, bytes: Uint8Array): number;
  close(descriptor: number): void;
}

const LIBC = "libc.so.6";
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const O_CLOEXEC = 0o2000000;

/** Loads libc in the running runtime. Every thread that calls it loads it for itself. */
export async function nativeCalls(): Promise<NativeCalls> {
  const raw = "Deno" in globalThis ? denoLibc() : await bunLibc();
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
      // A call that a signal interrupted fails alike; only a lasting failure counts.
      for (let attempt = 0; attempt < 3; attempt++) {
        const count = raw.write(descriptor, bytes);
        if (count >= 0) return count;
      }
      return -1;
    },
    close: (descriptor) => void raw.close(descriptor),
  };
}

interface RawCalls {
  socketpair(domain: number, type: number, protocol: number, pair: Int32Array): number;
  pipe2(pair: Int32Array, flags: number): number;
  write(descriptor: number, bytes: Uint8Array): number;
  close(descriptor: number): number;
}

async function bunLibc(): Promise<RawCalls> {
  const { dlopen } = await import("bun:ffi");
  const { symbols } = dlopen(
    LIBC,
    {
      socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
      pipe2: { args: ["ptr", "i32"], returns: "i32" },
      write: { args: ["i32", "ptr", "u64"], returns: "i64" },
      close: { args: ["i32"], returns: "i32" },
    } as const,
  ) as { symbols: Record<string, (...args: unknown[]) => number | bigint> };
  return {
    socketpair: (...args) => Number(symbols.socketpair!(...args)),
    pipe2: (...args) => Number(symbols.pipe2!(...args)),
    write: (descriptor, bytes) => Number(symbols.write!(descriptor, bytes, bytes.length)),
    close: (descriptor) => Number(symbols.close!(descriptor)),
  };
}

/** What is used of `Deno.dlopen`; its own types are not to be had when Bun's are loaded. */
interface DenoFfi {
  dlopen(path: string, symbols: Record<string, { parameters: string[]; result: string }>): {
    symbols: Record<string, (...args: unknown[]) => number | bigint>;
  };
}

function denoLibc(): RawCalls {
  const deno = (globalThis as unknown as { Deno: DenoFfi }).Deno;
  const { symbols } = deno.dlopen(LIBC, {
    socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
    pipe2: { parameters: ["buffer", "i32"], result: "i32" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
  return {
    socketpair: (...args) => Number(symbols.socketpair!(...args)),
    pipe2: (...args) => Number(symbols.pipe2!(...args)),
    write: (descriptor, bytes) => Number(symbols.write!(descriptor, bytes, BigInt(bytes.length))),
    close: (descriptor) => Number(symbols.close!(descriptor)),
  };
}
