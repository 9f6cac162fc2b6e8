/** From arguments to a command to an exit code. Only this file prints and exits. */

import { readFileSync, readlinkSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { basename } from "node:path";
import process from "node:process";
import { isatty } from "node:tty";
// Before all else: Deno soon changes what it reads.
import "./lib/system/process/signal_masks.ts";
import { isPart, loadMessages, runPart } from "./lib/command/run_part.ts";
import { firstFailure, systemCode } from "./lib/errors.ts";
import { LEAST_TASKS, ownTasks, taskRoom } from "./lib/system/host/task_room.ts";
import type { StopSignals } from "./lib/system/process/stop_signals.ts";
import { ENROOT_VERSION, VERSION } from "./lib/system/version.ts";

const STDOUT = 1;
const STDERR = 2;
const O_CLOEXEC = 0o2000000;
/** Time for the work to stop and clean up after an error that nobody caught. */
const STRAY_GRACE_MS = 5000;

const called = process.argv.slice(2);
/** pyxis calls an importer by its name alone: `denroot-importer get URI`. */
const args = calledAs("denroot-importer") ? ["share", ...called] : called;
if (called.length === 1 && (called[0] === "--version" || called[0] === "version")) {
  // Before anything else is loaded: scripts ask for the version often.
  const isEnroots = args[0] === "version" && programName() === "enroot";
  writeAll(STDOUT, `${isEnroots ? ENROOT_VERSION : VERSION}\n`);
  process.exit(0);
}
if (isPart(args[0])) {
  const code = await runPart(args[0], args.slice(1), {
    result: (text) => writeAll(STDOUT, text),
    message: (text) => writeAll(STDERR, text),
    failureCode,
  });
  process.exit(code);
}
const room = taskRoom();
if (room !== undefined && room.left + ownTasks() < LEAST_TASKS) failWithoutRoom(room.text);
// The exit code if the event loop runs dry before the work is done.
process.exitCode = 1;
process.exit(await runPlainly() ?? await main());

/**
 * `start` and `exec` as most people write them become another program before the reader of command
 * lines would be loaded. Undefined for all else.
 */
async function runPlainly(): Promise<number | undefined> {
  const [name, ...words] = args;
  if (name !== "start" && name !== "exec") return undefined;
  const run = name === "start"
    ? (await import("./lib/command/run_start.ts")).plainStart(words)
    : (await import("./lib/command/run_exec.ts")).plainExec(words);
  if (run === undefined) return undefined;
  const [{ log, fail }, { prepareStart }, { explainLimit }] = await Promise.all([
    loadMessages((text) => writeAll(STDERR, text)),
    import("./lib/system/process/prepare_start.ts"),
    import("./lib/system/host/explain_limit.ts"),
  ]);
  try {
    prepareStart(args, commandLine());
    await run(log);
    return 0;
  } catch (failure) {
    const first = firstFailure(failure);
    return failureCode(fail(explainLimit(first) ?? first));
  }
}

async function main(): Promise<number> {
  const [{ runCommandLine }, { Progress }, output, host, { StopSignals }, ...system] = await Promise
    .all([
      import("./lib/command/run_command_line.ts"),
      import("./lib/command/output/progress.ts"),
      import("./lib/command/output/console.ts"),
      import("./lib/system/host/environment.ts"),
      import("./lib/system/process/stop_signals.ts"),
      import("./lib/system/process/prepare_start.ts"),
      import("./lib/system/host/explain_limit.ts"),
    ]);
  const [{ prepareStart }, { explainLimit }] = system;
  host.hideRuntimeSwitches();
  const env = host.environment();
  const terminal = isatty(STDERR) && env.TERM !== "dumb";
  const colour = terminal && !env.NO_COLOR;
  const debug = Boolean(env.DENROOT_DEBUG) || args.includes("--debug");

  const progress = new Progress({
    write: (text) => writeAll(STDERR, text),
    terminal,
    colour,
    size: () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 }),
    nowMs: () => performance.now(),
  });
  const fail = (failure: unknown): number => {
    progress.finish();
    const first = firstFailure(failure);
    const error = explainLimit(first) ?? first;
    writeAll(STDERR, output.errorText(error, { colour, debug }));
    return failureCode(output.asKnownError(error)?.code);
  };
  const stops = new StopSignals((exitCode) => {
    progress.finish();
    process.exit(exitCode);
  });
  const hasStray = catchStrays(stops, fail);

  try {
    prepareStart(args, commandLine());
    await runCommandLine(args, {
      console: {
        programName: programName(),
        colour: isatty(STDOUT) && env.TERM !== "dumb" && !env.NO_COLOR,
        result: (text) => writeAll(STDOUT, `${text}\n`),
        help: (text) => writeAll(STDOUT, text),
        log: (level, message) => progress.log(level, message),
      },
      progress,
      ask: async (question) => {
        const { askOnTerminal } = await import("./lib/system/host/ask_on_terminal.ts");
        progress.finish();
        return await askOnTerminal(question, stops.signal);
      },
      // Later than here: signals stay as they are for a command that does not ask.
      get signal() {
        return stops.signal;
      },
      letSignalsGo: () => stops.letGo(),
    });
    progress.finish();
    return hasStray() ? 1 : 0;
  } catch (error) {
    if (hasStray()) return 1;
    const code = fail(error);
    return stops.exitCode ?? code;
  }
}

/** enroot's scripts know 1 alone. */
function failureCode(code: string | undefined): number {
  return code === "usage" && programName() !== "enroot" ? 2 : 1;
}

/**
 * Errors that nobody caught stop the work as a signal does, and leave it some time to clean up.
 * Gives whether there was one.
 */
function catchStrays(stops: StopSignals, fail: (error: unknown) => number): () => boolean {
  let failed = false;
  const stray = (error: unknown) => {
    // An error while the work is being stopped is no news.
    if (failed || stops.exitCode !== undefined) return;
    failed = true;
    fail(error);
    stops.abort(error);
    setTimeout(() => process.exit(1), STRAY_GRACE_MS);
  };
  process.on("uncaughtException", stray);
  process.on("unhandledRejection", stray);
  return () => failed;
}

/**
 * The name that the user called: `denroot`, or `enroot` where denroot is installed under that name.
 * A runtime shows a script's path with its links resolved; the kernel shows the one that was called.
 */
function programName(): string {
  return calledAs("enroot") ? "enroot" : "denroot";
}

function calledAs(name: string): boolean {
  const words = commandLine();
  return [words[0], words.at(-1 - called.length)].some((path) => basename(path ?? "") === name);
}

function commandLine(): readonly string[] {
  try {
    return readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
  } catch {
    return [process.argv0, ...called];
  }
}

/** Writes at once: an exit loses what is still buffered. */
function writeAll(fd: number, text: string): void {
  if (fd === STDOUT && wasClosed(fd)) failToWrite("it is closed");
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const code = systemCode(error);
      if (code === "EAGAIN") {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        continue;
      }
      // A lost result is a failure; progress that nobody reads is not.
      if (fd !== STDOUT) return;
      // The reader has seen enough, as head does: end as a program does that does not catch SIGPIPE.
      if (code === "EPIPE") process.exit(128 + constants.signals.SIGPIPE);
      failToWrite(String(code));
    }
  }
}

/** It has to do without modules: to load one takes a thread. */
function failWithoutRoom(text: string): never {
  writeAll(
    STDERR,
    `[ERROR] denroot cannot start: there are too few ${text}\n` +
      "        End other programs, or raise the limit\n",
  );
  process.exit(1);
}

function failToWrite(why: string): never {
  writeAll(STDERR, `[ERROR] Cannot write to standard output: ${why}\n`);
  process.exit(1);
}

/**
 * Whether the descriptor was closed when this process began. Bun then opens /dev/null in its place,
 * and marks it to be closed in other programs, which no inherited descriptor is. Deno does not.
 */
function wasClosed(fd: number): boolean {
  try {
    if (readlinkSync(`/proc/self/fd/${fd}`) !== "/dev/null") return false;
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
    return (parseInt(flags ?? "0", 8) & O_CLOEXEC) !== 0;
  } catch {
    return false;
  }
}
