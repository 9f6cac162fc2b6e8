/** What scripts/package --npm makes: installed without a network, it works under Node alone. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { VERSION } from "../../lib/system/version.ts";
import { bun, deno, Denroot } from "../helpers/denroot_command.ts";
import {
  makePackages,
  nodeAlone,
  npm,
  offlineEnvironment,
  packagesForHere,
} from "../helpers/npm_packages.ts";
import { project } from "../helpers/release.ts";
import { findProgram, runProgram, startProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("npm");
const path = nodeAlone(scratch);
const prefix = join(scratch, "prefix");
const command = join(prefix, "bin/denroot");
const sample = `oci:${join(project, "sample/hello")}`;
let packages: readonly string[];

before(async () => {
  packages = await makePackages(join(scratch, "packages"));
  await npm(scratch, ["install", "--global", "--prefix", prefix, ...packagesForHere(packages)]);
});

/** The installed command in a home of its own, on a PATH that has Node alone. */
async function withCommand(program: string, body: (denroot: Denroot) => Promise<void>) {
  const denroot = new Denroot({ name: program, command: [program] });
  denroot.environment = () => ({ ...Denroot.prototype.environment.call(denroot), PATH: path });
  try {
    await body(denroot);
  } finally {
    denroot.remove();
  }
}

test("npm installs a command that imports under Node alone", async () => {
  await withCommand(command, async (denroot) => {
    assert.equal((await denroot.succeed(["--version"])).stdout, `${VERSION}\n`);
    const image = await denroot.import(sample);
    assert.equal(readFileSync(image).subarray(0, 4).toString(), "hsqs");
    const wrong = await denroot.run(["nothing"]);
    assert.deepEqual([wrong.exitCode, wrong.stdout], [2, ""]);
    assert.match(wrong.stderr, /^\[ERROR\] .*'nothing'\n +See denroot --help\n$/);
  });
});

test("a link named enroot makes it enroot", async () => {
  const link = join(scratch, "enroot");
  symlinkSync(command, link);
  await withCommand(link, async (denroot) => {
    assert.match((await denroot.succeed(["help"])).stdout, /^Usage: enroot /);
  });
  const result = await runProgram(bun.command[0], [link, "help"]);
  assert.match(result.stdout, /^Usage: enroot /);
});

test("it is the interpreter of an image definition", async () => {
  const definition = join(scratch, "hello");
  const output = join(scratch, "hello.sqsh");
  writeFileSync(definition, `#!/usr/bin/env denroot\nimage ${sample}\noutput ${output}\n`, {
    mode: 0o755,
  });
  await withCommand(definition, async (denroot) => {
    await denroot.succeed(["--import-only"], { env: { PATH: `${path}:${join(prefix, "bin")}` } });
    assert.ok(existsSync(output));
  });
});

test("npx and bun x run what lies in a project", async () => {
  const home = await bunProject();
  const options = { cwd: home, env: offlineEnvironment(home) };
  const npx = await runProgram(findProgram("npx")!, ["--offline", "denroot", "--version"], options);
  const bunx = await runProgram(bun.command[0], ["x", "denroot", "--version"], options);
  assert.deepEqual([npx.stdout, bunx.stdout], [`${VERSION}\n`, `${VERSION}\n`]);
});

test("the library runs under Bun and Deno, and says so under Node", async () => {
  const home = await bunProject();
  const script = join(home, "import.mjs");
  writeFileSync(
    script,
    `import { importImage } from "denroot";
    const { output } = await importImage(${JSON.stringify(sample)}, { output: process.argv[2] });
    console.log(output);`,
  );
  for (const [program, ...args] of [bun.command.slice(0, -1), deno.command.slice(0, -1)]) {
    const output = join(home, `${basename(program!)}.sqsh`);
    const result = await runProgram(program!, [...args, script, output], { cwd: home });
    assert.equal(result.stdout, `${output}\n`);
    assert.ok(existsSync(output));
  }
  const node = await startProgram(findProgram("node")!, [script, "none.sqsh"]).done;
  assert.notEqual(node.exitCode, 0);
  assert.match(node.stderr, /Error: denroot's library runs under Bun and Deno, and this is Node/);
});

test("the library needs no other package", async () => {
  const files = join(prefix, "lib/node_modules/denroot");
  const { stdout } = await runProgram("grep", [
    ...["-rhoE", "--include=*.js", `(from |import\\()"[^."][^"]*"`, `${files}/lib`],
  ]);
  const imported = new Set(stdout.trim().split("\n").map((line) => line.split('"')[1]!));
  assert.deepEqual([...imported].filter((name) => !/^(node|bun):/.test(name)), []);
  const manifest = JSON.parse(readFileSync(join(files, "package.json"), "utf8"));
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.scripts, undefined);
  const platforms = packages.filter((path) => path.includes("-linux-"))
    .map((path) => [`@denroot/${/linux-\w+/.exec(path)![0]}`, VERSION]);
  assert.deepEqual(manifest.optionalDependencies, Object.fromEntries(platforms));
});

test("each package has its licences, and the sources that the GPL asks for", async () => {
  for (const path of packages) {
    const { stdout } = await runProgram("tar", ["-tzf", path]);
    for (const file of ["LICENSE", "LICENSES.txt", "README.md", "package.json"]) {
      assert.ok(stdout.split("\n").includes(`package/${file}`), `${path}: ${file}`);
    }
    assert.match(stdout, /^package\/source\/squashfs-tools_.*\.dsc$/m, path);
  }
});

test("the same release gives the same packages", async () => {
  const again = await makePackages(join(scratch, "again"), { TZ: "Asia/Tokyo" });
  assert.equal(again.length, packages.length);
  for (const [index, path] of again.entries()) {
    assert.ok(readFileSync(path).equals(readFileSync(packages[index]!)), path);
  }
});

let installed: Promise<string> | undefined;

/** A project that has the packages, installed by Bun. */
function bunProject(): Promise<string> {
  return installed ??= (async () => {
    const home = join(scratch, "project");
    mkdirSync(home);
    writeFileSync(join(home, "package.json"), `{ "name": "project", "private": true }\n`);
    await runProgram(bun.command[0], ["add", ...packagesForHere(packages)], {
      cwd: home,
      env: offlineEnvironment(home),
    });
    return home;
  })();
}
