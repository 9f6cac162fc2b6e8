/** Finding a mksquashfs, by fakes that print what versions print. */

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { findMksquashfs, findUnsquashfs } from "../../lib/squashfs/find_mksquashfs.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("find");
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
];
for (const [printed, version, setsRootTime] of versions) {
  test(`${version} is taken${setsRootTime ? ", and sets the root's time" : ""}`, async () => {
    const path = fake("mksquashfs", `echo '${printed}'; echo 'copyright (C) ...'`);
    assert.deepEqual(await findMksquashfs(path, ""), { path, version, setsRootTime });
  });
}

for (const old of ["4.3", "4.4", "4.4-git.1", "3.4"]) {
  test(`${old}, which reads no tar stream, is refused with its path and version`, async () => {
    const path = fake("mksquashfs", `echo 'mksquashfs version ${old} (2014/05/12)'`);
    await assert.rejects(findMksquashfs(path, ""), (error: Error) => {
      assert.equal((error as { code?: string }).code, "squashfs");
      assert.ok(error.message.includes(path) && error.message.includes(old), error.message);
      return true;
    });
  });
}

const broken: readonly [title: string, script: string, message: RegExp][] = [
  ["prints junk", "echo 'hello world'", /does not tell a version/],
  ["prints nothing", "exit 0", /does not tell a version/],
  ["fails", "exit 3", /does not tell a version/],
];
for (const [title, script, message] of broken) {
  test(`a program that ${title} is not taken for mksquashfs`, async () => {
    const path = fake("mksquashfs", script);
    await assert.rejects(findMksquashfs(path, ""), { code: "squashfs", message });
  });
}

test("a program that is not there, or no program, cannot be run", async () => {
  const text = join(scratch, "text");
  writeFileSync(text, "not a program");
  for (const path of [join(scratch, "missing"), text, scratch]) {
    await assert.rejects(findMksquashfs(path, ""), { code: "squashfs", message: /cannot be run/ });
  }
});

test("a version that comes with status 1, as old ones have it, is read all the same", async () => {
  const path = fake("mksquashfs", "echo 'mksquashfs version 4.6.1 (2023/03/25)'; exit 1");
  assert.equal((await findMksquashfs(path, "")).version, "4.6.1");
});

test("the first on the search path is taken, and what is named wins over it", async () => {
  const [first, second, named] = ["4.5", "4.6", "4.7"].map((version) =>
    fake("mksquashfs", `echo 'mksquashfs version ${version} (2020/01/01)'`)
  ) as [string, string, string];
  const searchPath = [join(scratch, "missing"), "", first, second]
    .map((path) => path.replace(/\/mksquashfs$/, "")).join(":");
  assert.equal((await findMksquashfs(undefined, searchPath)).path, first);
  assert.equal((await findMksquashfs(named, searchPath)).path, named);
});

test("the unsquashfs beside mksquashfs wins over the one on the search path", () => {
  const path = fake("mksquashfs", "exit 0");
  const elsewhere = fake("unsquashfs", "exit 0");
  const program = { path, version: "4.6", setsRootTime: true };
  const searchPath = elsewhere.replace(/\/unsquashfs$/, "");
  assert.equal(findUnsquashfs(program, searchPath), elsewhere);
  const beside = path.replace(/mksquashfs$/, "unsquashfs");
  symlinkSync("/bin/true", beside);
  assert.equal(findUnsquashfs(program, searchPath), beside);
});

function fake(name: string, script: string): string {
  const directory = join(scratch, `bin-${directories++}`);
  mkdirSync(directory);
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}
