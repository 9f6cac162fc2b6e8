/** The same sources give the same bytes in every directory and in any order of the files on disk. */

import assert from "node:assert/strict";
import {
  cpSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { project } from "../helpers/release.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const sources = [
  ..."cli.ts mod.ts lib scripts LICENSE package.json package-lock.json bun.lock tsconfig.json"
    .split(" "),
  "build/squashfs",
  "node_modules/commander",
  "node_modules/smol-toml",
  "node_modules/yaml",
  ...globSync("build/squashfs-work/*.stamp", { cwd: project }),
];

test("two builds in different directories give the same bytes", async () => {
  const scratch = scratchDirectory("reproducible");
  const first = join(scratch, "first");
  const second = join(scratch, "a/longer path/second");
  copySources(first, (names) => names.sort());
  copySources(second, (names) => names.sort().reverse());
  const env = { ...process.env, SOURCE_DATE_EPOCH: "1700000000" };
  for (const [directory, zone] of [[first, "UTC"], [second, "Asia/Tokyo"]] as const) {
    await runProgram(join(directory, "scripts/build"), [], { env: { ...env, TZ: zone } });
  }
  const [expected, sums] = [first, second]
    .map((directory) => readFileSync(join(directory, "dist/SHA256SUMS"), "utf8"));
  assert.equal(sums, expected);
  assert.match(expected!, / denroot-linux-x64\n/);
});

test("one architecture is built where nothing of the other is", async () => {
  const directory = join(scratchDirectory("one-architecture"), "project");
  copySources(directory, (names) => names);
  const [own, other] = process.arch === "arm64" ? ["arm64", "x64"] : ["x64", "arm64"];
  rmSync(join(directory, "build/squashfs", other!), { recursive: true });
  // The licence texts are made anew from what was fetched.
  for (const name of ["packages", "source", `sysroot-${own}`]) {
    const fetched = join("build/squashfs-work", name);
    symlinkSync(join(project, fetched), join(directory, fetched));
  }
  await runProgram(join(directory, "scripts/build"), [own!]);
  const built = globSync("denroot-linux-*", { cwd: join(directory, "dist") });
  assert.deepEqual(built, [`denroot-linux-${own}`]);
});

/** Writes the files of each directory in the order that `ordered` gives. */
function copySources(target: string, ordered: (names: string[]) => string[]): void {
  const copy = (path: string): void => {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    const from = join(project, path);
    let names: string[];
    try {
      names = readdirSync(from);
    } catch {
      return cpSync(from, join(target, path), { preserveTimestamps: false });
    }
    for (const name of ordered(names)) copy(join(path, name));
  };
  ordered([...sources]).forEach(copy);
  // Only the build programs are shared: all that gets into the executables is copied.
  for (const shared of ["node_modules/.bin", "node_modules/@oven", "build/bun"]) {
    symlinkSync(join(project, shared), join(target, shared));
  }
}
