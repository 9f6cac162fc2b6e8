/** Calls into libc, through the foreign function interface of the running runtime. */

import process from "node:process";

/** A `buffer` is passed as a pointer to a typed array's content. */
type ArgumentType = "i32" | "u32" | "usize" | "buffer";

export interface Signature {
  readonly args: readonly ArgumentType[];
  readonly result: "i32" | "isize";
}

const LIBC = "libc.so.6";

export type Calls<Name extends string> = Record<Name, (...args: unknown[]) => number>;

/** Rejects when this libc lacks one of the functions. Every thread loads libc for itself. */
export async function loadLibc<Name extends string>(
  signatures: Readonly<Record<Name, Signature>>,
): Promise<Calls<Name>> {
  return await Promise.resolve().then(() => libcCalls(signatures));
}

/** Does as {@link loadLibc} does, at once. */
export function libcCalls<Name extends string>(
  signatures: Readonly<Record<Name, Signature>>,
): Calls<Name> {
  const raw = "Deno" in globalThis ? denoLibc(signatures) : bunLibc(signatures);
  const calls = Object.keys(signatures).map((name) =>
    [name, (...args: unknown[]) => Number(raw[name]!(...args))] as const
  );
  return Object.fromEntries(calls) as Calls<Name>;
}

type RawCalls = Record<string, (...args: unknown[]) => number | bigint>;

/** The part of `bun:ffi` that is used. An import of it would keep Deno from starting. */
interface BunFfi {
  dlopen(path: string, symbols: Record<string, { args: string[]; returns: string }>): {
    symbols: RawCalls;
  };
}

function bunLibc(signatures: Readonly<Record<string, Signature>>): RawCalls {
  const { dlopen } = process.getBuiltinModule("bun:ffi") as unknown as BunFfi;
  const names = { i32: "i32", u32: "u32", usize: "u64", isize: "i64", buffer: "ptr" } as const;
  const symbols = mapSignatures(signatures, ({ args, result }) => ({
    args: args.map((type) => names[type]),
    returns: names[result],
  }));
  return dlopen(LIBC, symbols).symbols;
}

/** The part of `Deno.dlopen` that is used: Deno's own types do not load together with Bun's. */
interface DenoFfi {
  dlopen(
    path: string,
    symbols: Record<string, { parameters: readonly string[]; result: string }>,
  ): {
    symbols: RawCalls;
  };
}

function denoLibc(signatures: Readonly<Record<string, Signature>>): RawCalls {
  const deno = (globalThis as unknown as { Deno: DenoFfi }).Deno;
  const symbols = mapSignatures(signatures, ({ args, result }) => ({ parameters: args, result }));
  return deno.dlopen(LIBC, symbols).symbols;
}

function mapSignatures<T>(
  signatures: Readonly<Record<string, Signature>>,
  map: (signature: Signature) => T,
): Record<string, T> {
  const entries = Object.entries(signatures);
  return Object.fromEntries(entries.map(([name, signature]) => [name, map(signature)]));
}
