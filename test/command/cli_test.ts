/** The program as a user meets it: exit codes, and what goes to which stream. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { testEachRuntime } from "../helpers/denroot_command.ts";
import { waitUntil } from "../helpers/run_program.ts";

const runningBun = "bun" in process.versions;
const packageFile = fileURLToPath(new URL("../../package.json", import.meta.url));

testEachRuntime("the version is package.json's", async (denroot) => {
  const { version } = JSON.parse(readFileSync(packageFile, "utf8"));
  for (const args of [["--version"], ["version"], ["version", "--debug"]]) {
    const result = await denroot.run(args);
    assert.deepEqual(
      [result.exitCode, result.stdout, result.stderr],
      [0, `${version}\n`, ""],
    );
  }
});

testEachRuntime("help is a result: standard output, exit 0", async (denroot) => {
  for (const args of [["help"], ["--help"], ["help", "import"], ["import", "--help"]]) {
    const result = await denroot.run(args);
    assert.deepEqual([result.exitCode, result.stderr], [0, ""], args.join(" "));
    assert.match(result.stdout, /^Usage: denroot /);
  }
});

testEachRuntime("wrong use exits 2 with nothing on standard output", async (denroot) => {
  for (
    const args of [[], ["frob"], ["import"], ["import", "-o"], ["help", "frob"], [
      "digest",
      "--frob",
      "x",
    ]]
  ) {
    const result = await denroot.run(args);
    assert.deepEqual([result.exitCode, result.stdout], [2, ""], args.join(" "));
    assert.match(result.stderr, /^\[ERROR\] .*\n {8}See denroot .*--help\n$/);
  }
});

testEachRuntime("a failure exits 1 and is plain text off a terminal", async (denroot) => {
  const result = await denroot.run(["digest", "docker://Bad\u001b[2J"]);
  assert.deepEqual([result.exitCode, result.stdout], [1, ""]);
  assert.match(result.stderr, /^\[ERROR\] Invalid image reference/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(result.stderr, /\x1b/);
});

testEachRuntime("a bad setting exits 1 and names its place", async (denroot) => {
  const result = await denroot.run(["info"], { env: { ENROOT_MAX_PROCESSORS: "many" } });
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /ENROOT_MAX_PROCESSORS is "many" in the environment/);
});

testEachRuntime("a stack shows under --debug and DENROOT_DEBUG only", async (denroot) => {
  const args = ["digest", "docker://Bad"];
  assert.doesNotMatch((await denroot.run(args)).stderr, /^ +at /m);
  assert.match((await denroot.run([...args, "--debug"])).stderr, /^ +at /m);
  assert.match((await denroot.run(["--debug", ...args])).stderr, /^ +at /m);
  assert.match((await denroot.run(args, { env: { DENROOT_DEBUG: "1" } })).stderr, /^ +at /m);
});

testEachRuntime("signals end the work with 128 and their number", async (denroot) => {
  let asked = 0;
  const server = createServer(() => void asked++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
      asked = 0;
      const program = denroot.start(["import", `docker://127.0.0.1:${port}/silent/image`]);
      await waitUntil("the registry is asked", () => asked > 0);
      program.child.kill(signal);
      const result = await program.done;
      // As a parent, Deno takes an exit with 128+n for the signal n itself.
      const signalled = result.signal === signal && !runningBun ? code : null;
      assert.equal(result.exitCode ?? signalled, code, result.stderr);
      assert.match(result.stderr, /^\[ERROR\] /m);
      assert.deepEqual(denroot.leftovers(), []);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
