/** Limits of the surroundings: an import keeps to them, or the error names the limit and its value. */

import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { bun, Denroot, readableDenroot, releasedDenroot } from "../helpers/denroot_command.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { type ProgramResult, startProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";

const NOBODY = 65534;
const scratch = scratchDirectory("limits");
let uri: string;

before(() => {
  const content = Buffer.alloc(3_000_000, "0123456789abcdef");
  for (let at = 0; at < content.length; at += 64) {
    content.writeUInt32LE(at * 2654435761 % 2 ** 32, at);
  }
  const layers = [[file("big", content)], [file("small", "x")]];
  const { directory, tag } = writeImage(join(scratch, "layout"), { layers, compression: "none" });
  chmodSync(scratch, 0o755);
  uri = `oci:${directory}:${tag}`;
});

/** With the executable: Deno has other limits, and does not start below most of these. */
function withDenroot(body: (denroot: Denroot) => Promise<void>): () => Promise<void> {
  return async () => {
    const denroot = new Denroot(releasedDenroot());
    try {
      await body(denroot);
    } finally {
      denroot.remove();
    }
  };
}

async function underLimit(
  denroot: Denroot,
  limit: string,
  args: readonly string[],
): Promise<ProgramResult> {
  const script = `${limit} && exec "$@"`;
  return await startProgram("bash", ["-c", script, "bash", ...denroot.runtime.command, ...args], {
    cwd: denroot.work,
    env: denroot.environment(),
  }).done;
}

for (const limit of ["ulimit -v 2000000", "ulimit -d 2000000", "ulimit -n 24"]) {
  test(
    `an import works under ${limit}`,
    withDenroot(async (denroot) => {
      const result = await underLimit(denroot, limit, ["import", "-o", "x.sqsh", uri]);
      assert.equal(result.exitCode, 0, result.stderr);
      assert.ok(existsSync(join(denroot.work, "x.sqsh")));
    }),
  );
}

test(
  "many processors fit into a small address space",
  withDenroot(async (denroot) => {
    const limit = "export ENROOT_MAX_PROCESSORS=128 && ulimit -v 2000000";
    const result = await underLimit(denroot, limit, ["import", "-o", "x.sqsh", uri]);
    assert.equal(result.exitCode, 0, result.stderr);
  }),
);

const REFUSED: readonly (readonly [limit: string, message: RegExp])[] = [
  ["ulimit -v 500000", /denroot can get no memory.*\n.*address space: 512 MB \(ulimit -v 500000\)/],
  ["ulimit -d 500000", /denroot can get no memory.*\n.*data: 512 MB \(ulimit -d 500000\)/],
  ["ulimit -n 10", /denroot can open no more files.*\n.*open files: 10 \(ulimit -n 10\)/],
  ["ulimit -f 100", /\n.*the size of a file: 102 kB \(ulimit -f 100\)/],
];
for (const [limit, message] of REFUSED) {
  test(
    `the error under ${limit} names the limit`,
    withDenroot(async (denroot) => {
      const result = await underLimit(denroot, limit, ["import", "-o", "x.sqsh", uri]);
      assert.equal(result.exitCode, 1, result.stderr);
      assert.match(result.stderr, message);
      assert.doesNotMatch(result.stderr, /mistake in denroot|panic|Unexpected/);
      assert.deepEqual(readdirSync(denroot.work), []);
    }),
  );
}

test("too few processes: the error names the limit", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root");
  const denroot = new Denroot(readableDenroot(scratch));
  try {
    chmodSync(denroot.home, 0o755);
    for (const name of ["", ...readdirSync(denroot.home)]) {
      chownSync(join(denroot.home, name), 54_321, NOBODY);
    }
    // With the last, a program fails to start a thread. With 5 and fewer the runtime itself may crash.
    for (const most of [10, 20]) {
      const { stderr, exitCode } = await startProgram("setpriv", [
        ...["--reuid=54321", `--regid=${NOBODY}`, "--clear-groups", "bash", "-c"],
        ...[
          `ulimit -u ${most} && exec "$@"`,
          "bash",
          denroot.runtime.command[0],
          ...["import", "-o", "x.sqsh", uri],
        ],
      ], { cwd: denroot.work, env: denroot.environment() }).done;
      assert.equal(exitCode, 1, stderr);
      assert.doesNotMatch(stderr, /panic/);
      assert.match(stderr, new RegExp(`threads of this user: ${most} \\(ulimit -u ${most}\\)`));
    }
  } finally {
    denroot.remove();
  }
});

test(
  "doctor names each limit that is too low, with a remedy",
  withDenroot(async (denroot) => {
    const limit = "ulimit -v 500000 && ulimit -n 100 && ulimit -f 1000 && ulimit -t 60";
    const { exitCode, stdout } = await underLimit(denroot, limit, ["doctor"]);
    assert.equal(exitCode, 1);
    const text = stdout.replace(/\s+/g, " ");
    assert.match(
      text,
      /error Address space 512 MB \(ulimit -v 500000\) is low \(import\) > An import/,
    );
    assert.match(text, /warning Open files 100 \(ulimit -n 100\) is low/);
    assert.match(text, /warning File size 1024 kB \(ulimit -f 1000\) is low/);
    assert.match(text, /warning Processor time 60 s \(ulimit -t 60\) is low/);
    assert.doesNotMatch(text, /C library/);
  }),
);

for (const runtime of [releasedDenroot(), bun]) {
  const denrootOf = () => new Denroot(runtime);
  test(`a closed standard output is a failure (${runtime.name})`, async () => {
    const denroot = denrootOf();
    try {
      for (
        const [redirection, why] of [
          [">&-", /Cannot write to standard output: it is closed/],
          [">/dev/full", /Cannot write to standard output: ENOSPC/],
        ] as const
      ) {
        for (const args of [["version"], ["--version"], ["digest", uri], ["help"], ["info"]]) {
          const script = `"$@" ${redirection}`;
          const { exitCode, stderr } = await startProgram("bash", [
            ...["-c", script, "bash", ...runtime.command, ...args],
          ], { cwd: denroot.work, env: denroot.environment() }).done;
          assert.equal(exitCode, 1, `${args.join(" ")} ${redirection}`);
          assert.match(stderr, why);
        }
      }
      const pipe = `set -o pipefail; { sleep 0.3; "$@"; } | true`;
      const { exitCode, stderr } = await startProgram("bash", [
        ...["-c", pipe, "bash", ...runtime.command, "digest", uri],
      ], { cwd: denroot.work, env: denroot.environment() }).done;
      // As of every program that writes into a pipe whose reader has gone, as head does.
      assert.deepEqual([exitCode, stderr], [141, ""]);
    } finally {
      denroot.remove();
    }
  });
}
