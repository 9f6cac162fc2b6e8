/** The program as users meet it: exit codes, and the two streams of output. */

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

testEachRuntime("the version is that of package.json", async (denroot) => {
  const { version } = JSON.parse(readFileSync(packageFile, "utf8"));
  for (const args of [["--version"], ["version"], ["version", "--debug"]]) {
    const result = await denroot.run(args);
    assert.deepEqual(
      [result.exitCode, result.stdout, result.stderr],
      [0, `${version}\n`, ""],
    );
  }
});

testEachRuntime("help goes to standard output, and the exit code is 0", async (denroot) => {
  for (const args of [["help"], ["--help"], ["help", "import"], ["import", "--help"]]) {
    const result = await denroot.run(args);
    assert.deepEqual([result.exitCode, result.stderr], [0, ""], args.join(" "));
    assert.match(result.stdout, /^Usage: denroot /);
  }
});

testEachRuntime(
  "after wrong use the exit code is 2, and standard output is empty",
  async (denroot) => {
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
  },
);

testEachRuntime(
  "after a failure the exit code is 1, and the error is plain text off a terminal",
  async (denroot) => {
    const result = await denroot.run(["digest", "docker://Bad\u001b[2J"]);
    assert.deepEqual([result.exitCode, result.stdout], [1, ""]);
    assert.match(result.stderr, /^\[ERROR\] Invalid image reference/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(result.stderr, /\x1b/);
  },
);

testEachRuntime(
  "after a bad setting the exit code is 1, and the error names the place",
  async (denroot) => {
    const result = await denroot.run(["info"], { env: { ENROOT_MAX_PROCESSORS: "many" } });
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, /ENROOT_MAX_PROCESSORS is "many" in the environment/);
  },
);

testEachRuntime("a stack shows only with --debug or DENROOT_DEBUG", async (denroot) => {
  const args = ["digest", "docker://Bad"];
  assert.doesNotMatch((await denroot.run(args)).stderr, /^ +at /m);
  assert.match((await denroot.run([...args, "--debug"])).stderr, /^ +at /m);
  assert.match((await denroot.run(["--debug", ...args])).stderr, /^ +at /m);
  assert.match((await denroot.run(args, { env: { DENROOT_DEBUG: "1" } })).stderr, /^ +at /m);
});

testEachRuntime("after signal n the exit code is 128+n", async (denroot) => {
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
      // Deno reports the exit code 128+n of a child as signal n.
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
