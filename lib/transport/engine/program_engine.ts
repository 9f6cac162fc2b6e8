/** Talks to engines through their own program, where their API cannot be reached. */

import fs from "node:fs";
import { join } from "node:path";
import { DenrootError, messageOf, throwIfAborted } from "../../errors.ts";
import { plainText, quotePath, quoteText } from "../../text/quote_text.ts";
import { redact } from "../../text/redact.ts";
import { readFromChild } from "../../system/process/read_from_child.ts";
import { keepFresh, removeStale } from "../../system/files/leftovers.ts";
import { processMark } from "../../system/files/process_mark.ts";
import { runCommand } from "../../system/process/run_command.ts";
import type { NoEngineError } from "./connect_engine.ts";
import { bareId, type Engine, isNotFound, parseEngineImage } from "./engine.ts";

interface ProgramOptions {
  /** Stand before the command. */
  readonly args?: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Why the API could not be used. This error is thrown when the program does not help either. */
  readonly reason: NoEngineError;
}

const INSPECT_TIMEOUT_MS = 60_000;
const OUTPUT_LIMIT = 16 * 1024 * 1024;
/** The names of directories for a program's temporary files begin with this. */
const SCRATCH = "denroot-save@";

/** Both programs have the same commands. */
export function programEngine(program: "docker" | "podman", options: ProgramOptions): Engine {
  const { args = [], environment, reason } = options;
  return {
    name: `the program ${program}`,
    async inspect(image, _platform, signal) {
      const { exitCode, stdout, messages } = await runCommand(
        program,
        [...args, "image", "inspect", image],
        {
          env: environment,
          signal,
          timeoutMs: INSPECT_TIMEOUT_MS,
          maxOutputBytes: OUTPUT_LIMIT,
        },
      ).catch((error) => {
        throw isNotFound(error) ? noProgram(program, reason) : error;
      });
      if (exitCode !== 0) throw inspectError(program, messages, reason);
      return parseEngineImage(
        firstOf(stdout.toString("utf8")),
        `${program}'s description of ${quoteText(image)}`,
      );
    },
    save: (image, signal) => saved(program, [...args, "save", bareId(image)], environment, signal),
  };
}

async function* saved(
  program: string,
  words: readonly string[],
  environment: ProgramOptions["environment"],
  signal: AbortSignal,
): AsyncIterableIterator<Uint8Array> {
  throwIfAborted(signal);
  const scratch = makeScratch(environment.TMPDIR || "/var/tmp");
  const letAge = keepFresh(scratch);
  try {
    const env = { ...environment, TMPDIR: scratch };
    const child = await readFromChild(program, words, { env, signal });
    yield* child.output;
    const exit = await child.exited;
    throwIfAborted(signal);
    if (exit.exitCode !== 0) {
      const how = exit.signal ? `signal ${exit.signal}` : `exit code ${exit.exitCode}`;
      const why = lastLine(exit.messages) || `it ended with ${how}`;
      throw new DenrootError("registry", `${program} save failed: ${why}`);
    }
  } finally {
    letAge();
    fs.rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

/**
 * Makes a directory for the program's temporary files, and removes those of runs that were killed.
 * podman copies each layer before it sends it, and leaves the copy behind when it is interrupted.
 */
function makeScratch(parent: string): string {
  try {
    removeStale(
      parent,
      (name) => name.startsWith(SCRATCH) ? name.slice(SCRATCH.length) : undefined,
    );
    const path = join(parent, `${SCRATCH}${processMark()}`);
    fs.mkdirSync(path, { mode: 0o700 });
    return path;
  } catch (cause) {
    throw new DenrootError(
      "file",
      `A temporary directory cannot be created in ${quotePath(parent)}: ${messageOf(cause)}`,
      { cause, hint: "Set TMPDIR to a directory in which you can write" },
    );
  }
}

function inspectError(program: string, messages: string, reason: NoEngineError): DenrootError {
  const said = lastLine(messages);
  if (/no such (?:image|object)|image not known/i.test(messages)) {
    return new DenrootError("not_found", `${program} says: ${said}`);
  }
  return new DenrootError("network", `${reason.message}; the program ${program} says: ${said}`, {
    hint: reason.hint,
  });
}

function noProgram(program: string, reason: NoEngineError): DenrootError {
  return new DenrootError("network", `${reason.message}; the program ${program} was not found`, {
    hint: reason.hint,
  });
}

function firstOf(text: string): unknown {
  try {
    const answer: unknown = JSON.parse(text);
    return Array.isArray(answer) ? answer[0] : undefined;
  } catch {
    // The parser refuses undefined with its own message.
    return undefined;
  }
}

function lastLine(messages: string): string {
  return plainText(redact(messages.trim().split("\n").at(-1) ?? ""), 500);
}
