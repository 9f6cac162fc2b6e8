/** The squashfs tools that denroot carries, on machines that forbid running them in some places. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import {
  bun,
  deno,
  type Denroot,
  releasedDenroot,
  type Runtime,
  testRuntimes,
} from "../helpers/denroot_command.ts";
import { project } from "../helpers/release.ts";
import { startProgram } from "../helpers/run_program.ts";

const sample = join(project, "sample/hello");
const skip = existsSync("/proc/sys/vm/memfd_noexec") ? false : "this Linux has no vm.memfd_noexec";

const forbidMemory = "echo 2 > /proc/sys/vm/memfd_noexec";
const forbid = (variable: string) => `mount -t tmpfs -o noexec,mode=700 tmpfs "$${variable}"`;

const released = releasedDenroot();
const cases: readonly {
  readonly title: string;
  /** The executable carries the tools inside, the sources beside them. */
  readonly runtimes: readonly Runtime[];
  readonly prepare: readonly string[];
  readonly location: RegExp;
}[] = [
  {
    title: "from memory where nothing forbids it",
    runtimes: [released, deno, bun],
    prepare: [],
    location: /^memory$/,
  },
  {
    title: "from the cache where memory may not be run",
    runtimes: [released, deno],
    prepare: [forbidMemory],
    location: /\/cache\/tools-0\/[0-9a-f]{64}\/(mk|un)squashfs$/,
  },
  {
    title: "from the runtime directory where the cache is mounted noexec",
    runtimes: [released],
    prepare: [forbidMemory, forbid("ENROOT_CACHE_PATH")],
    location: /\/run\/\.denroot-tools-[^/]+\/(mk|un)squashfs$/,
  },
  {
    title: "from the directory for temporary files where that is noexec too",
    runtimes: [released],
    prepare: [forbidMemory, forbid("ENROOT_CACHE_PATH"), forbid("XDG_RUNTIME_DIR")],
    location: /\/temp\/\.denroot-tools-[^/]+\/(mk|un)squashfs$/,
  },
];
for (const { title, runtimes, prepare, location } of cases) {
  testRuntimes(runtimes, `carried tools run ${title}`, async (denroot) => {
    const { stdout } = await inNamespace(denroot, prepare, [
      `"$@" info --json`,
      `"$@" import --verify --output image.sqsh oci:${sample} >&2`,
      `ls -A "$XDG_RUNTIME_DIR" "$TMPDIR" >&2`,
    ]);
    const { squashfsTools } = JSON.parse(stdout);
    for (const tool of squashfsTools) {
      assert.equal(tool.origin, "carried");
      assert.match(tool.location, location);
    }
    assert.ok(existsSync(join(denroot.work, "image.sqsh")));
    assert.deepEqual(readdirSync(denroot.temp), []);
    assert.deepEqual(readdirSync(join(denroot.home, "run")), []);
  }, { skip });
}

const nowhere = "where nothing may be run, the error lists the places and says what to do";
testRuntimes([released], nowhere, async (denroot) => {
  const prepare = [
    forbidMemory,
    ...["ENROOT_CACHE_PATH", "XDG_RUNTIME_DIR", "TMPDIR"].map(forbid),
  ];
  const { stderr } = await inNamespace(denroot, prepare, [
    `! "$@" import --output image.sqsh oci:${sample}`,
  ]);
  assert.match(stderr, /\[ERROR\].*mksquashfs cannot run anywhere on this machine/);
  for (const place of ["memory", denroot.cache, join(denroot.home, "run"), denroot.temp]) {
    assert.match(stderr, new RegExp(`${place}[^;]*: programs cannot run there`));
  }
  assert.match(stderr, /ENROOT_CACHE_PATH.*DENROOT_MKSQUASHFS/);
}, { skip });

const together = "many that unpack into one cache at once all find it whole";
testRuntimes([released], together, async (denroot) => {
  const { stdout } = await inNamespace(denroot, [forbidMemory], [
    `for i in 1 2 3 4 5 6; do "$@" info --json > info-$i & done; wait; cat info-?`,
  ]);
  assert.equal(stdout.match(/"location": ".*\/cache\/tools-0\//g)?.length, 12, stdout);
  const tools = join(denroot.cache, "tools-0");
  const files = readdirSync(tools).flatMap((digest) => readdirSync(join(tools, digest)));
  assert.deepEqual(files.sort(), ["mksquashfs", "unsquashfs"]);
}, { skip });

/** Runs shell commands, "$@" being denroot, in mount and process namespaces of their own. */
async function inNamespace(
  denroot: Denroot,
  prepare: readonly string[],
  commands: readonly string[],
) {
  const runtimeDirectory = join(denroot.home, "run");
  mkdirSync(runtimeDirectory, { mode: 0o700 });
  const script = ["set -e", ...prepare, ...commands].join("\n");
  const asRoot = process.getuid!() === 0 ? [] : ["--map-root-user"];
  const result = await startProgram("unshare", [
    ...asRoot,
    ...["--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh"],
    ...denroot.runtime.command,
  ], {
    cwd: denroot.work,
    env: {
      ...denroot.environment(),
      XDG_RUNTIME_DIR: runtimeDirectory,
      DENROOT_MKSQUASHFS: undefined,
      DENROOT_UNSQUASHFS: undefined,
    },
    timeoutMs: 60_000,
  }).done;
  assert.equal(result.exitCode, 0, result.stderr);
  return result;
}
