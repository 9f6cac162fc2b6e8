/** Calls into libc, through the foreign function interface of the running runtime. */

/** A `buffer` is passed as a pointer to a typed array's content. */
type ArgumentType = "i32" | "u32" | "usize" | "buffer";

interface Signature {
  readonly args: readonly ArgumentType[];
  readonly result: "i32" | "isize";
}

const LIBC = "libc.so.6";

type Calls<Name extends string> = Record<Name, (...args: unknown[]) => number>;

/** Rejects when this libc lacks one of the functions. Every thread loads libc for itself. */
export async function loadLibc<Name extends string>(
  signatures: Readonly<Record<Name, Signature>>,
): Promise<Calls<Name>> {
  const raw = "Deno" in globalThis ? denoLibc(signatures) : await bunLibc(signatures);
  const calls = Object.keys(signatures).map((name) =>
    [name, (...args: unknown[]) => Number(raw[name]!(...args))] as const
  );
  return Object.fromEntries(calls) as Calls<Name>;
}

type RawCalls = Record<string, (...args: unknown[]) => number | bigint>;

async function bunLibc(signatures: Readonly<Record<string, Signature>>): Promise<RawCalls> {
  const { dlopen } = await import("bun:ffi");
  const names = { i32: "i32", u32: "u32", usize: "u64", isize: "i64", buffer: "ptr" } as const;
  const symbols = mapSignatures(signatures, ({ args, result }) => ({
    args: args.map((type) => names[type]),
    returns: names[result],
  }));
  return dlopen(LIBC, symbols).symbols as RawCalls;
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
