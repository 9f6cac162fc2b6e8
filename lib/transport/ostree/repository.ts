/** Reads an ostree repository with the program `ostree` (ostree(1)). */

import { DenrootError, hasCode, throwIfAborted } from "../../errors.ts";
import { plainText, quoteText } from "../../text/quote_text.ts";
import { readFromChild } from "../../system/process/read_from_child.ts";
import { runCommand } from "../../system/process/run_command.ts";
import type { ChildExit } from "../../system/process/spawn_child.ts";

const PROGRAM = "ostree";
/** The longest answer that is read, in bytes. The longest ones are the recipes of large layers. */
const MAX_ANSWER = 64 * 1024 * 1024;

export class OstreeRepository {
  readonly #path: string;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #signal: AbortSignal;

  constructor(
    path: string,
    environment: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ) {
    this.#path = path;
    // The words of a message say which error it is: they must not be translated.
    this.#environment = { ...environment, LC_ALL: "C" };
    this.#signal = signal;
  }

  /** The path, safe to show on a terminal. */
  get name(): string {
    return plainText(this.#path, 300);
  }

  /** The names of all commits. Throws code `file` when the repository cannot be read. */
  async refs(): Promise<ReadonlySet<string>> {
    const { exitCode, stdout, messages } = await this.#run(["refs"]);
    if (exitCode !== 0) throw failed(`The ostree repository ${this.name} cannot be read`, messages);
    return new Set(stdout.toString().split("\n").filter((ref) => ref !== ""));
  }

  /** The commit that has the name, which may be a remote's; undefined when there is none. */
  async commit(ref: string): Promise<string | undefined> {
    const { exitCode, stdout } = await this.#run(["rev-parse", ref]);
    const commit = stdout.toString().trim();
    return exitCode === 0 && /^[0-9a-f]{64}$/.test(commit) ? commit : undefined;
  }

  /** The text under a key of a commit's metadata; undefined when it does not have the key. */
  async metadata(ref: string, key: string): Promise<string | undefined> {
    const { exitCode, stdout, messages } = await this.#run([
      "show",
      `--print-metadata-key=${key}`,
      ref,
    ]);
    if (exitCode === 0) return parseVariantText(stdout.toString());
    if (/No such metadata key/.test(messages)) return undefined;
    throw failed(`The commit ${quoteText(ref)} of ${this.name} cannot be read`, messages);
  }

  /** The contents of some of a commit's files, one after the other without marks between them. */
  cat(ref: string, paths: readonly string[], signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#stream(["cat", ref, ...paths], signal);
  }

  /** A commit's tree as a tar stream. */
  export(commit: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#stream(["export", commit], signal);
  }

  async #run(args: readonly string[]) {
    try {
      return await runCommand(PROGRAM, this.#arguments(args), {
        env: this.#environment,
        signal: this.#signal,
        maxOutputBytes: MAX_ANSWER,
      });
    } catch (error) {
      throw hasCode(error, "not_found") ? noProgram(error) : error;
    }
  }

  async *#stream(args: readonly string[], signal: AbortSignal): AsyncIterable<Uint8Array> {
    throwIfAborted(signal);
    const { output, exited } = await readFromChild(PROGRAM, this.#arguments(args), {
      env: this.#environment,
      signal,
    });
    yield* output;
    let exit: ChildExit;
    try {
      exit = await exited;
    } catch (cause) {
      throw noProgram(cause);
    }
    throwIfAborted(signal);
    if (exit.exitCode === 0) return;
    throw failed(`The commit ${quoteText(args[1]!)} of ${this.name} cannot be read`, exit.messages);
  }

  #arguments([command, ...rest]: readonly string[]): readonly string[] {
    return [command!, `--repo=${this.#path}`, ...rest];
  }
}

const ESCAPED: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/**
 * Reads a string that GLib has printed (GVariant Text Format, "Strings"). Throws code `manifest` for
 * anything else.
 */
export function parseVariantText(text: string): string {
  const match = /^(["'])([^]*)\1\n?$/.exec(text);
  if (match === null) {
    throw new DenrootError("manifest", `ostree's metadata is not a text: ${quoteText(text, 60)}`);
  }
  return match[2]!.replace(
    /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([^]))/g,
    (_, short, long, character) => {
      const digits = short ?? long;
      return digits === undefined
        ? ESCAPED[character] ?? character
        : String.fromCodePoint(parseInt(digits, 16));
    },
  );
}

function failed(what: string, messages: string): DenrootError {
  const said = messages.trim().replace(/^error: /, "").split("\n")[0]!;
  return new DenrootError("file", `${what}: ${plainText(said, 300)}`);
}

function noProgram(cause: unknown): DenrootError {
  return new DenrootError("not_found", 'The program "ostree" is not installed', {
    cause,
    hint: 'Install the package "ostree"',
  });
}
