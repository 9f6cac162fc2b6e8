/** Finding the squashfs tools, tested with fakes that print what real versions print. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";
import {
  findMksquashfs,
  type FindOptions,
  findUnsquashfs,
  type ToolSettings,
} from "../../lib/tools/find_tools.ts";
import { type RunPlace, runPlaces } from "../../lib/tools/run_places.ts";
import { runCommand } from "../../lib/system/process/run_command.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("find");
const nothingCarried: FindOptions = { carried: () => undefined };
let directories = 0;

const versions: readonly [printed: string, version: string, setsRootTime: boolean][] = [
  ["mksquashfs version 4.5 (2021/07/22)", "4.5", false],
  ["mksquashfs version 4.5.1 (2022/03/17)", "4.5.1", false],
  ["mksquashfs version 4.6 (2023/03/17)", "4.6", true],
  ["mksquashfs version 4.6.1 (2023/03/25)", "4.6.1", true],
  ["mksquashfs version 4.7.5 (2025/12/01)", "4.7.5", true],
  ["mksquashfs version 4.10 (2030/01/01)", "4.10", true],
  ["mksquashfs version 5.0 (2031/01/01)", "5.0", true],
  ["mksquashfs version 4.6.1-1ubuntu2 (2023/03/25)", "4.6.1-1ubuntu2", true],
  ["mksquashfs version 4.6.1+wide-directories (2023/03/25)", "4.6.1+wide-directories", true],
  ["mksquashfs version 4.6-git.1 (2023/03/25)", "4.6-git.1", true],
];
for (const [printed, version, setsRootTime] of versions) {
  test(`version ${version} is taken${setsRootTime ? ", and sets the root's time" : ""}`, async () => {
    const path = fake("mksquashfs", `echo '${printed}'; echo 'copyright (C) ...'`);
    using found = await findMksquashfs(settings({ mksquashfs: path }));
    assert.deepEqual([found.path, found.label, found.location], [path, path, path]);
    assert.deepEqual([found.version, found.setsRootTime], [version, setsRootTime]);
    assert.equal(found.origin, "setting");
    assert.equal(found.takesWideDirectories, version.endsWith("+wide-directories"));
  });
}

for (const old of ["4.3", "4.4", "4.4-git.1", "3.4"]) {
  test(`version ${old} is refused with its path, its version and a remedy`, async () => {
    const path = fake("mksquashfs", `echo 'mksquashfs version ${old} (2014/05/12)'`);
    const search = settings({}, dirname(path));
    await assert.rejects(findMksquashfs(search, nothingCarried), {
      code: "squashfs",
      message: `${path} is version ${old}, which cannot read a tar stream`,
      hint: /4\.5 or later.*DENROOT_MKSQUASHFS.*scripts\/build_squashfs/,
    });
  });
}

test("an unsquashfs that is older than 4.5 is refused too", async () => {
  const path = fake("unsquashfs", "echo 'unsquashfs version 4.4 (2019/08/29)'; exit 1");
  await assert.rejects(findUnsquashfs(settings({ unsquashfs: path })), {
    code: "squashfs",
    message: /4\.4, which cannot print/,
    hint: /DENROOT_UNSQUASHFS/,
  });
});

const broken: readonly [title: string, script: string][] = [
  ["prints junk", "echo 'hello world'"],
  ["prints nothing", "exit 0"],
  ["fails", "exit 3"],
  ["is another tool", "echo 'unsquashfs version 4.6.1 (2023/03/25)'"],
];
for (const [title, script] of broken) {
  test(`a program that ${title} is not taken for mksquashfs`, async () => {
    const path = fake("mksquashfs", script);
    await assert.rejects(findMksquashfs(settings({ mksquashfs: path })), {
      code: "squashfs",
      message: /does not print a version of mksquashfs/,
      hint: /Correct DENROOT_MKSQUASHFS/,
    });
  });
}

test("a missing program, or a file that is not a program, cannot be run", async () => {
  const text = join(scratch, "text");
  writeFileSync(text, "not a program");
  for (const path of [join(scratch, "missing"), text, scratch]) {
    await assert.rejects(findMksquashfs(settings({ mksquashfs: path })), {
      code: "squashfs",
      message: /cannot be run/,
    });
  }
});

test("a version is read even when the program then fails, as old versions do", async () => {
  const path = fake("mksquashfs", "echo 'mksquashfs version 4.6.1 (2023/03/25)'; exit 1");
  assert.equal((await findMksquashfs(settings({ mksquashfs: path }))).version, "4.6.1");
});

test("a setting comes first, then denroot's own program, then the search path", async () => {
  const [first, second, named] = ["4.5", "4.6", "4.7"].map((version) =>
    fake("mksquashfs", tells("mksquashfs", version))
  ) as [string, string, string];
  const searchPath = [join(scratch, "missing"), "", dirname(first), dirname(second)].join(":");
  const carried = () => carriedScript("mksquashfs", "4.9");
  using byName = await findMksquashfs(settings({ mksquashfs: named }, searchPath), { carried });
  assert.deepEqual([byName.origin, byName.path], ["setting", named]);
  using own = await findMksquashfs(settings({}, searchPath), { carried });
  assert.deepEqual([own.origin, own.version], ["carried", "4.9"]);
  using host = await findMksquashfs(settings({}, searchPath), nothingCarried);
  assert.deepEqual([host.origin, host.path], ["host", first]);
});

test("each tool has a setting of its own", async () => {
  const [mksquashfs, unsquashfs] = [
    fake("mksquashfs", tells("mksquashfs", "4.5")),
    fake("unsquashfs", tells("unsquashfs", "4.6")),
  ];
  const both = settings({ mksquashfs, unsquashfs });
  assert.equal((await findMksquashfs(both)).path, mksquashfs);
  assert.equal((await findUnsquashfs(both)).path, unsquashfs);
  using own = await findUnsquashfs(settings({ mksquashfs }), {
    carried: (name) => carriedScript(name, "4.9"),
  });
  assert.equal(own.origin, "carried");
});

test("the unsquashfs beside the mksquashfs of a setting comes before the search path", async () => {
  const mksquashfs = fake("mksquashfs", tells("mksquashfs", "4.6"));
  const elsewhere = fake("unsquashfs", tells("unsquashfs", "4.6"));
  const search = settings({ mksquashfs }, dirname(elsewhere));
  assert.equal((await findUnsquashfs(search, nothingCarried)).path, elsewhere);
  const beside = join(dirname(mksquashfs), "unsquashfs");
  writeFileSync(beside, `#!/bin/sh\n${tells("unsquashfs", "4.6")}\n`, { mode: 0o755 });
  assert.equal((await findUnsquashfs(search, nothingCarried)).path, beside);
});

test("a carried program runs from memory, and is gone after its disposal", async () => {
  const tool = await findMksquashfs(settings({}), {
    carried: (name) => carriedScript(name, "4.8"),
  });
  assert.deepEqual([tool.location, tool.label], ["memory", "denroot's mksquashfs 4.8"]);
  assert.match((await runCommand(tool.path, [])).stdout.toString(), /4\.8/);
  tool[Symbol.dispose]();
  assert.ok(!existsSync(tool.path));
});

test("a place where the program cannot be put or run is left empty, and the next one is tried", async () => {
  const disposed: string[] = [];
  const deaf: RunPlace = {
    name: "deaf",
    put: () => {
      const path = join(scratch, "no-program");
      writeFileSync(path, "x", { mode: 0o644 });
      return Promise.resolve({
        path,
        location: path,
        [Symbol.dispose]: () => void disposed.push("deaf"),
      });
    },
  };
  const full: RunPlace = { name: "full", put: () => Promise.reject(new Error("no space left")) };
  const carried = () => carriedScript("mksquashfs", "4.8");
  const cachePath = join(scratch, "cache");
  const usual = runPlaces({ cachePath, environment: {} });
  const [, cache] = usual;
  using tool = await findMksquashfs(settings({}), { carried, places: [deaf, full, cache!] });
  assert.ok(tool.location.startsWith(cachePath), tool.location);
  assert.deepEqual(disposed, ["deaf"]);
  await assert.rejects(findMksquashfs(settings({}), { carried, places: [deaf, full] }), {
    code: "squashfs",
    message:
      /cannot run anywhere .*: deaf: programs cannot run there \(is it mounted with noexec\?\); full: no space/,
    hint: /ENROOT_CACHE_PATH.*DENROOT_MKSQUASHFS/,
  });
});

function settings(
  named: Pick<ToolSettings, "mksquashfs" | "unsquashfs">,
  searchPath = "",
): ToolSettings {
  return { ...named, cachePath: join(scratch, "cache"), environment: { PATH: searchPath } };
}

function tells(name: string, version: string): string {
  return `echo '${name} version ${version} (2020/01/01)'`;
}

function carriedScript(name: string, version: string): Buffer {
  return Buffer.from(`#!/bin/sh\n${tells(name, version)}\n`);
}

function fake(name: string, script: string): string {
  const directory = join(scratch, `bin-${directories++}`);
  mkdirSync(directory);
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}
