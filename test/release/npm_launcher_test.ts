/** The launcher of the npm package: it passes all on to the executable, and says what is missing. */

import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bun } from "../helpers/denroot_command.ts";
import { project, releasedExecutable } from "../helpers/release.ts";
import { findProgram, startProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { openTerminal } from "../helpers/terminal.ts";

const scratch = scratchDirectory("launcher");
const node = findProgram("node")!;
const platform = `linux-${process.arch}`;
const executable = releasedExecutable(process.arch as "x64" | "arm64");
const launcher = join(project, "bin/denroot.cjs");
const env = { ...process.env, HOME: scratch, ENROOT_ALLOW_HTTP: "y" };
let silent: Server;
let connections = 0;
let uri: string;

before(async () => {
  // A registry that never answers.
  silent = createServer(() => connections++);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  uri = `docker://127.0.0.1:${(silent.address() as { port: number }).port}#a/b`;
});
after(() => silent.close());

/** Starts an import that waits for the registry. */
async function startImport(runtime: string) {
  const before = connections;
  const args = [launcher, "import", "--output", join(scratch, "none.sqsh"), uri];
  const program = startProgram(runtime, args, { env, cwd: scratch });
  await waitUntil("it asks the registry", () => connections > before);
  return program;
}

test("signals reach the executable, and its exit code comes back", async () => {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    const program = await startImport(node);
    program.child.kill(signal);
    const { exitCode, stderr } = await program.done;
    assert.equal(exitCode, code);
    assert.match(stderr, new RegExp(`\\[ERROR\\] Interrupted by ${signal}\n$`));
  }
});

test("a signal that ends the executable ends the launcher", async () => {
  for (const signal of ["SIGKILL", "SIGQUIT"] as const) {
    const program = await startImport(node);
    process.kill(executablePid(program.pid), signal);
    assert.equal((await program.done).signal, signal);
  }
});

test("Ctrl-C on a terminal stops it once", async () => {
  const before = connections;
  const line =
    `trap : INT; "${node}" "${launcher}" import --output none.sqsh ${uri}; echo ended $?`;
  const terminal = openTerminal(line, {
    cwd: scratch,
    env: { HOME: scratch, ENROOT_ALLOW_HTTP: "y" },
  });
  try {
    await waitUntil("it asks the registry", () => connections > before);
    terminal.type("\x03");
    await terminal.expect(/Interrupted by SIGINT[^]*ended 130/);
  } finally {
    await terminal.close();
  }
});

test("where the runtime can, the launcher becomes the executable", async () => {
  const program = await startImport(bun.command[0]);
  assert.equal(readlinkSync(`/proc/${program.pid}/exe`), executable);
  program.child.kill("SIGTERM");
  assert.equal((await program.done).exitCode, 143);
});

test("what the executable prints comes whole", async () => {
  const result = await startProgram(node, [launcher, "help", "--man", "import"], { env }).done;
  const direct = await startProgram(executable, ["help", "--man", "import"], { env }).done;
  assert.deepEqual([result.exitCode, result.stdout], [0, direct.stdout]);
});

const faults: readonly (readonly [title: string, preload: string, expected: RegExp])[] = [
  [
    "another system",
    `Object.defineProperty(process, "platform", { value: "darwin" });
    Object.defineProperty(process, "arch", { value: "arm64" });`,
    /^\[ERROR\] denroot has no executable for darwin-arm64\n +Run denroot on Linux/,
  ],
  [
    "another processor",
    `Object.defineProperty(process, "arch", { value: "riscv64" });`,
    /^\[ERROR\] denroot has no executable for linux-riscv64\n/,
  ],
  [
    "a system without glibc",
    `const fs = require("node:fs"), { existsSync } = fs;
    fs.existsSync = (path) => !path.includes("/ld-linux") && existsSync(path);`,
    /^\[ERROR\] denroot needs glibc, .* \/lib.*\/ld-linux.*\n +Run denroot on a system with glibc 2\.17/,
  ],
  [
    "an installation without optional packages",
    "",
    /^\[ERROR\] The package @denroot\/linux-\w+ is missing.*\n +Install .*--omit=optional.*@denroot\/linux-\w+@1\.2\.3 /,
  ],
];

for (const [title, preload, expected] of faults) {
  test(`the launcher says what to do on ${title}`, async () => {
    const result = await startCopy(preload).done;
    assert.match(result.stderr, expected);
    assert.deepEqual([result.exitCode, result.stdout], [1, ""]);
    assert.equal(result.stderr.trimEnd().split("\n").length, 2);
  });
}

test("an argument that is not UTF-8 is refused, and U+FFFD is a character like any other", async () => {
  const run = (word: string) => {
    const script = `exec "$0" "$1" digest ${word}`;
    return startProgram("bash", ["-c", script, node, launcher], { env, cwd: scratch }).done;
  };
  const refused = await run("$'oci:x\\xff'");
  assert.match(refused.stderr, /^\[ERROR\] The argument "oci:x\ufffd" is not UTF-8\n/);
  assert.equal(refused.exitCode, 1);
  assert.match((await run("'oci:x\ufffd'")).stderr, /"x\ufffd" does not exist/);
});

test("the launcher says what to do with an executable that may not be run", async () => {
  const directory = join(scratch, "node_modules/@denroot", platform, "bin");
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "denroot");
  writeFileSync(path, readFileSync(executable).subarray(0, 100));
  chmodSync(path, 0o644);
  const { exitCode, stderr } = await startCopy("").done;
  assert.deepEqual([exitCode, stderr.split("\n")[0]], [1, `[ERROR] ${path} cannot be run`]);
});

/** Starts a copy of the launcher, installed alone, after `preload` has run. */
function startCopy(preload: string) {
  const bin = join(scratch, "node_modules/denroot/bin");
  mkdirSync(bin, { recursive: true });
  copyFileSync(launcher, join(bin, "denroot.cjs"));
  writeFileSync(join(bin, "../package.json"), `{ "version": "1.2.3" }`);
  writeFileSync(join(scratch, "preload.cjs"), preload);
  const args = ["--require", join(scratch, "preload.cjs"), join(bin, "denroot.cjs"), "--version"];
  return startProgram(node, args, { env });
}

/** The launcher itself, or its child where Node cannot become another program. */
function executablePid(pid: number): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
  return child ? Number(child) : pid;
}
