/** Arguments to a command to an exit code. Nothing else prints or exits. */

import { readFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { basename } from "node:path";
import process from "node:process";
import { isatty } from "node:tty";
import { VERSION } from "./lib/system/version.ts";

const STDOUT = 1;
const STDERR = 2;
/** For the work to stop and clean up after a failure that reached nobody. */
const STRAY_GRACE_MS = 5000;

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === "--version" || args[0] === "version")) {
  // Before anything else is loaded: scripts ask this often.
  writeAll(STDOUT, `${VERSION}\n`);
  process.exit(0);
}
// Counts when the event loop runs dry before the work is done.
process.exitCode = 1;
process.exit(await main());

async function main(): Promise<number> {
  const [{ runCommandLine }, { Progress }, output, { environment }] = await Promise.all([
    import("./lib/command/run_command_line.ts"),
    import("./lib/command/output/progress.ts"),
    import("./lib/command/output/console.ts"),
    import("./lib/system/host/environment.ts"),
  ]);
  const env = environment();
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
  const fail = (error: unknown): number => {
    progress.finish();
    writeAll(STDERR, output.errorText(error, { colour, debug }));
    return output.asKnownError(error)?.code === "usage" ? 2 : 1;
  };
  const stops = catchStops(progress, fail);

  try {
    await runCommandLine(args, {
      console: {
        programName: programName(),
        colour: isatty(STDOUT) && env.TERM !== "dumb" && !env.NO_COLOR,
        result: (text) => writeAll(STDOUT, `${text}\n`),
        help: (text) => writeAll(STDOUT, text),
        log: (level, message) => progress.log(level, message),
      },
      progress,
      signal: stops.signal,
    });
    progress.finish();
    return stops.failed() ? 1 : 0;
  } catch (error) {
    if (stops.failed()) return 1;
    const code = fail(error);
    return stops.signalCode() ?? code;
  }
}

/**
 * The first signal asks the work to stop and clean up; the second one does not wait for it. So does
 * an error that nobody caught.
 */
function catchStops(progress: { finish(): void }, fail: (error: unknown) => number) {
  const controller = new AbortController();
  let signalCode: number | undefined;
  let failed = false;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (signalCode !== undefined) {
        progress.finish();
        process.exit(signalCode);
      }
      signalCode = 128 + constants.signals[name];
      controller.abort(new Error(`Stopped by ${name}`));
    });
  }
  const stray = (error: unknown) => {
    // What breaks on the way out of a stop is no news.
    if (failed || signalCode !== undefined) return;
    failed = true;
    fail(error);
    controller.abort(error);
    setTimeout(() => process.exit(1), STRAY_GRACE_MS);
  };
  process.on("uncaughtException", stray);
  process.on("unhandledRejection", stray);
  return {
    signal: controller.signal,
    signalCode: () => signalCode,
    failed: () => failed,
  };
}

/**
 * What the user called: `denroot`, or `enroot` where it is installed under that name. The runtimes
 * show a script's path with its links resolved; the kernel has it as it was called.
 */
function programName(): string {
  const words = commandLine();
  const called = [words[0], words.at(-1 - args.length)].map((path) => basename(path ?? ""));
  return called.includes("enroot") ? "enroot" : "denroot";
}

function commandLine(): readonly string[] {
  try {
    return readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
  } catch {
    return [process.argv0, ...args];
  }
}

/** Synchronous, for what is still buffered at an exit is lost. */
function writeAll(fd: number, text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === "EAGAIN") {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        continue;
      }
      // Progress that nobody reads is nothing to stop for; a lost result is.
      if (fd !== STDOUT) return;
      if (code === "EPIPE") process.exit(128 + constants.signals.SIGPIPE);
      writeAll(STDERR, `[ERROR] Standard output cannot be written (${code})\n`);
      process.exit(1);
    }
  }
}
