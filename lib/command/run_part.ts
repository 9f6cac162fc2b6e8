/** denroot's own commands: parts of a start, in which each millisecond counts. Users do not call them. */

import { isatty } from "node:tty";
import { firstFailure } from "../errors.ts";

const STDERR = 2;

/** Each gives an exit code only where it does not become another program. */
const PARTS = {
  within: async () => (await import("../container/within/run_within.ts")).runWithin,
  "enroot-mount": async () =>
    (await import("../container/hooks/run_mount_program.ts")).runMountProgram,
  become: async () => (await import("../container/child/become_order.ts")).becomeOrder,
};

export type PartName = keyof typeof PARTS;

export interface PartOutput {
  result(text: string): void;
  message(text: string): void;
  /** The exit code for an error's code. */
  failureCode(code: string | undefined): number;
}

export function isPart(name: string | undefined): name is PartName {
  return name !== undefined && Object.hasOwn(PARTS, name);
}

/**
 * Gives the exit code. The messages are loaded first: denroot's own files are out of reach once the root
 * is the container's.
 */
export async function runPart(
  name: PartName,
  words: readonly string[],
  { result, message, failureCode }: PartOutput,
): Promise<number> {
  const [run, { log, fail }, { forgetRuntimeOptions }] = await Promise.all([
    PARTS[name](),
    loadMessages(message),
    import("../system/process/prepare_start.ts"),
  ]);
  forgetRuntimeOptions();
  try {
    return await run(words, { result, log });
  } catch (error) {
    return failureCode(fail(firstFailure(error)));
  }
}

/** What a command says that shows no progress. */
export interface Messages {
  log(level: "info" | "warn", text: string): void;
  /** Says what went wrong, and gives the error's code. */
  fail(error: unknown): string | undefined;
}

/** Loads no more than messages need. */
export async function loadMessages(write: (text: string) => void): Promise<Messages> {
  const [output, host] = await Promise.all([
    import("./output/console.ts"),
    import("../system/host/environment.ts"),
  ]);
  host.hideRuntimeSwitches();
  const { TERM, NO_COLOR, DENROOT_DEBUG } = host.environment();
  const colour = isatty(STDERR) && TERM !== "dumb" && !NO_COLOR;
  return {
    log: (level, text) => write(output.logLine(level, text, colour)),
    fail(error) {
      write(output.errorText(error, { colour, debug: Boolean(DENROOT_DEBUG) }));
      return output.asKnownError(error)?.code;
    },
  };
}
