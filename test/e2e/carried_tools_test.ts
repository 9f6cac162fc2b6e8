/** The squashfs tools that denroot carries, on machines that forbid to run them here or there. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Denroot, runtimes } from "../helpers/denroot_command.ts";
import { startProgram } from "../helpers/run_program.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const sample = join(project, "sample/hello");
const lacking = !existsSync(join(project, "build/squashfs", arch(), "mksquashfs"))
  ? "scripts/build_squashfs has not been run"
  : !existsSync("/proc/sys/vm/memfd_noexec")
  ? "this Linux has no vm.memfd_noexec"
  : undefined;

const forbidMemory = "echo 2 > /proc/sys/vm/memfd_noexec";
const forbid = (variable: string) => `mount -t tmpfs -o noexec,mode=700 tmpfs "$${variable}"`;

const cases: readonly [title: string, prepare: readonly string[], location: RegExp][] = [
  ["from memory where nothing forbids it", [], /^memory$/],
  [
    "from the cache where memory may not be run",
    [forbidMemory],
    /\/cache\/tools-0\/[0-9a-f]{64}\/(mk|un)squashfs$/,
  ],
  [
    "from the runtime directory where the cache is mounted noexec",
    [forbidMemory, forbid("ENROOT_CACHE_PATH")],
    /\/run\/\.denroot-tools-[^/]+\/(mk|un)squashfs$/,
  ],
  [
    "from the directory for temporary files where that is noexec too",
    [forbidMemory, forbid("ENROOT_CACHE_PATH"), forbid("XDG_RUNTIME_DIR")],
    /\/temp\/\.denroot-tools-[^/]+\/(mk|un)squashfs$/,
  ],
];
for (const runtime of runtimes) {
  for (const [title, prepare, location] of cases) {
    test(`carried tools run ${title} (${runtime.name})`, async (context) => {
      if (lacking !== undefined) return context.skip(lacking);
      const denroot = new Denroot(runtime);
      try {
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
      } finally {
        denroot.remove();
      }
    });
  }

  test(`where nothing may be run, the error lists the places and says what to do (${runtime.name})`, async (context) => {
    if (lacking !== undefined) return context.skip(lacking);
    const denroot = new Denroot(runtime);
    try {
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
    } finally {
      denroot.remove();
    }
  });
}

test("many that unpack into one cache at once all find it whole", async (context) => {
  if (lacking !== undefined) return context.skip(lacking);
  const denroot = new Denroot();
  try {
    const { stdout } = await inNamespace(denroot, [forbidMemory], [
      `for i in 1 2 3 4 5 6; do "$@" info --json > info-$i & done; wait; cat info-?`,
    ]);
    assert.equal(stdout.match(/"location": ".*\/cache\/tools-0\//g)?.length, 12, stdout);
    const tools = join(denroot.cache, "tools-0");
    const files = readdirSync(tools).flatMap((digest) => readdirSync(join(tools, digest)));
    assert.deepEqual(files.sort(), ["mksquashfs", "unsquashfs"]);
  } finally {
    denroot.remove();
  }
});

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
