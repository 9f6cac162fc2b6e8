/** Signals become an abort, but only for those who ask for it. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { startProgram, waitUntil } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const module = new URL("../../../lib/system/process/stop_signals.ts", import.meta.url);
const script = join(scratchDirectory("signals"), "program.ts");
writeFileSync(
  script,
  `import process from "node:process";
  import { StopSignals } from "${module}";
  const stops = new StopSignals((exitCode) => {
    console.log("second");
    process.exit(exitCode);
  });
  if (process.argv.at(-1) === "ask") {
    stops.signal.addEventListener("abort", () => console.log(stops.signal.reason.message));
  }
  console.log("ready");
  setTimeout(() => {}, 20_000);`,
);
const runtime = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];

async function start(argument: string, prepare = "") {
  const args = ["-c", `${prepare}exec "$@"`, "sh", process.execPath, ...runtime, script, argument];
  const program = startProgram("sh", args);
  await waitUntil("it is ready", () => program.stdout().includes("ready"));
  return program;
}

test("a signal ends a program that does not ask for the abort", async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const program = await start("");
    program.child.kill(signal);
    assert.equal((await program.done).signal, signal);
  }
});

test("the first signal aborts, the second tells the code of the first", async () => {
  const program = await start("ask");
  program.child.kill("SIGINT");
  await waitUntil("it is aborted", () => program.stdout().includes("Interrupted by SIGINT"));
  process.kill(program.pid, "SIGTERM");
  const { exitCode, signal, stdout } = await program.done;
  assert.match(stdout, /second\n$/);
  // As a parent, Deno takes an exit with 128+n for the signal n itself.
  assert.equal(signal === "SIGINT" ? 130 : exitCode, 130);
});

test("one signal that comes twice at once, as from a terminal and a launcher, counts once", async () => {
  const program = await start("ask");
  process.kill(program.pid, "SIGINT");
  await waitUntil("it is aborted", () => program.stdout().includes("Interrupted by SIGINT"));
  process.kill(program.pid, "SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.doesNotMatch(program.stdout(), /second/);
  process.kill(program.pid, "SIGINT");
  assert.match((await program.done).stdout, /second\n$/);
});

test("a signal that is ignored from the start stays ignored", async () => {
  const program = await start("ask", "trap '' HUP; ");
  program.child.kill("SIGHUP");
  await new Promise((resolve) => setTimeout(resolve, 200));
  process.kill(program.pid, "SIGTERM");
  await waitUntil("it is aborted", () => program.stdout().includes("Interrupted"));
  assert.match(program.stdout(), /by SIGTERM/);
  process.kill(program.pid, "SIGINT");
  await program.done;
});
