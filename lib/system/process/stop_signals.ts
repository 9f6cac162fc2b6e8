/** The signals with which a person, a shell or a scheduler stops a command. */

import { constants } from "node:os";
import process from "node:process";
import { DenrootError } from "../../errors.ts";
import { blockedSignals, ignoredAtStart } from "./signal_masks.ts";

/** The kernel sends XCPU when the processor time of `ulimit -S -t` is used up. */
const NAMES = ["SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU"] as const;
type Name = typeof NAMES[number];
/**
 * What comes again so soon is no second signal: Ctrl-C reaches a whole group of processes, and a
 * parent in it, such as npm's launcher or `timeout`, passes on what it got.
 */
const ECHO_MS = 500;

/**
 * INT, TERM, HUP and XCPU as an abort. Nothing is caught before {@link signal} is asked for: a command
 * that never asks is ended by the kernel, and one that becomes another program leaves it the
 * signals as it found them. A signal that was ignored from the start, as nohup and background jobs
 * have it, stays ignored; one that was blocked is let through, or nothing could stop the work.
 */
export class StopSignals {
  readonly #controller = new AbortController();
  readonly #onSecond: (exitCode: number) => void;
  #handlers: readonly (readonly [Name, () => void])[] | undefined;
  /** The numbers of those that were blocked. */
  #blocked: readonly number[] = [];
  #stoppedBy: Name | undefined;
  #stoppedAtMs = 0;

  /** A second signal calls `onSecond`, which should end the process without waiting for the work. */
  constructor(onSecond: (exitCode: number) => void) {
    this.#onSecond = onSecond;
  }

  /** Aborts at the first signal, or when {@link abort} is called. */
  get signal(): AbortSignal {
    if (this.#handlers === undefined) this.#catch();
    return this.#controller.signal;
  }

  /** 128 and the number of the signal that came; undefined when none came. */
  get exitCode(): number | undefined {
    return this.#stoppedBy && 128 + constants.signals[this.#stoppedBy];
  }

  /** Stops the work for another reason. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** Leaves the signals as they were found, for a command that has worked and becomes another program. */
  async letGo(): Promise<void> {
    for (const [name, handler] of this.#handlers ?? []) process.off(name, handler);
    if (this.#blocked.length === 0) return;
    const { blockSignals } = await import("./unblock_signals.ts");
    await blockSignals(this.#blocked);
  }

  #catch(): void {
    this.#handlers = NAMES.flatMap((name) => {
      if (!ignoredAtStart.has(constants.signals[name])) {
        return [[name, () => this.#stop(name)] as const];
      }
      // Deno catches INT, TERM and HUP at the first `on`, and ends the process where it has no handler.
      return "Deno" in globalThis ? [[name, () => {}] as const] : [];
    });
    for (const [name, handler] of this.#handlers) process.on(name, handler);
    const blocked = blockedSignals();
    this.#blocked = NAMES.map((name) => constants.signals[name]).filter((one) => blocked.has(one));
    // Only now, when they are caught.
    if (this.#blocked.length > 0) void unblock(this.#blocked);
  }

  #stop(name: Name): void {
    if (this.exitCode !== undefined) {
      if (!this.#isEcho(name)) this.#onSecond(this.exitCode);
      return;
    }
    this.#stoppedBy = name;
    this.#stoppedAtMs = performance.now();
    this.abort(new DenrootError("aborted", `Interrupted by ${name}`));
  }

  #isEcho(name: Name): boolean {
    return name === this.#stoppedBy && performance.now() - this.#stoppedAtMs < ECHO_MS;
  }
}

/** Rarely needed, and so loaded late. Where libc cannot be called, the signals stay blocked. */
async function unblock(numbers: readonly number[]): Promise<void> {
  try {
    const { unblockSignals } = await import("./unblock_signals.ts");
    await unblockSignals(numbers);
  } catch {
    // The work goes on all the same.
  }
}
