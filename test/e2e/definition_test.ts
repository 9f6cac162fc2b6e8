/** Executable definition files: the kernel starts denroot for them. */

import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { before } from "node:test";
import { Denroot, testEachRuntime, testOneRuntime } from "../helpers/denroot_command.ts";
import { type Image, writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { runProgram, startProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";
import { readFromImage } from "../helpers/tree_listing.ts";

const layout = scratchDirectory("definition");
let amd64: Image;
let arm64: Image;

before(() => {
  writeImage(layout, { layers: [[file("name", "one")]], tag: "one" });
  writeImage(layout, { layers: [[file("name", "two")]], tag: "two" });
  const make = (architecture: string) =>
    writeImage(layout, {
      layers: [[file("name", architecture)]],
      platform: { os: "linux", architecture },
      listed: false,
    });
  [amd64, arm64] = [make("amd64"), make("arm64")];
  const entries = [amd64, arm64].map((image) => ({
    blob: image.manifest,
    platform: image.platform,
  }));
  writeIndex(layout, entries, { tag: "many" });
});

/** A user's definition; `denroot` on the PATH runs under the test's runtime. */
class Script {
  readonly path: string;
  readonly output: string;
  readonly #denroot: Denroot;
  readonly #env: Record<string, string | undefined>;

  constructor(denroot: Denroot) {
    this.#denroot = denroot;
    this.path = join(denroot.work, "definitions/app");
    this.output = join(denroot.work, "images/app.sqsh");
    const bin = join(denroot.home, "bin");
    for (const path of [bin, dirname(this.path), dirname(this.output)]) mkdirSync(path);
    const quoted = denroot.runtime.command.map((word) => `'${word}'`).join(" ");
    writeFileSync(join(bin, "denroot"), `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
    const env = denroot.environment();
    this.#env = { ...env, IMAGES: dirname(this.output), PATH: `${bin}:${env.PATH}` };
  }

  /** Makes the file old, so that the next image is younger. */
  write(lines: readonly string[], interpreter = "/usr/bin/env denroot"): void {
    writeFileSync(this.path, [`#!${interpreter}`, "# The app", ...lines, ""].join("\n"));
    chmodSync(this.path, 0o755);
    this.age(60);
  }

  age(seconds: number): void {
    const time = Date.now() / 1000 - seconds;
    utimesSync(this.path, time, time);
  }

  start(...args: readonly string[]) {
    return startProgram(this.path, args, { cwd: this.#denroot.home, env: this.#env }).done;
  }

  /** Brings its image up to date. */
  import(...args: readonly string[]) {
    return this.start("--import-only", ...args);
  }

  /** Does as {@link import} does, expects success, and gives its output. */
  async imported(...args: readonly string[]): Promise<string> {
    return await this.run("--import-only", ...args);
  }

  /** Runs it, expects success, and gives its output. */
  async run(...args: readonly string[]): Promise<string> {
    const result = await runProgram(this.path, args, { cwd: this.#denroot.home, env: this.#env });
    return result.stdout + result.stderr;
  }

  content(path = "name"): Promise<string> {
    return readFromImage(this.output, path);
  }
}

testEachRuntime(
  "a definition imports its image once, and again when it changed",
  async (denroot) => {
    const script = new Script(denroot);
    const lines = (tag: string) => [`image oci:${layout}:${tag}`, "output ${IMAGES}/app.sqsh"];
    script.write(lines("one"));
    assert.match(await script.imported(), /Wrote .*\/images\/app\.sqsh /);
    assert.equal(await script.content(), "one");
    assert.equal(await script.content(".enroot/source"), `uri=oci:${layout}:one\n`);

    const { ino } = statSync(script.output);
    assert.equal(await script.imported(), `[INFO] ${script.output} is up to date\n`);
    assert.equal(statSync(script.output).ino, ino);

    script.write(lines("two"));
    assert.match(await script.imported(), /was made from oci:\S+:one; importing oci:\S+:two\n/);
    assert.equal(await script.content(), "two");

    script.age(-60);
    assert.match(await script.imported(), /app\.sqsh is older than app\n/);
    script.age(60);
    assert.match(await script.imported("--force"), /Wrote/);
    assert.deepEqual(readdirSync(dirname(script.output)), ["app.sqsh"]);
  },
);

testOneRuntime("a layout whose index was rewritten in place is imported anew", async (denroot) => {
  const script = new Script(denroot);
  const place = join(denroot.work, "layout");
  writeImage(place, { layers: [[file("name", "one")]], tag: "one" });
  script.write([`image oci:${place}:one`, "output ${IMAGES}/app.sqsh"]);
  await script.imported();
  assert.match(await script.imported(), /is up to date/);
  const later = Date.now() / 1000 + 60;
  utimesSync(join(place, "index.json"), later, later);
  assert.match(await script.imported(), /app\.sqsh is older than index\.json\n.*Wrote/s);
});

testOneRuntime("platform, packing and paths are the definition's", async (denroot) => {
  const script = new Script(denroot);
  script.write([
    `image oci:${layout}:many`,
    "output ../images/app.sqsh",
    "platform linux/arm64",
    "squash-options -comp gzip",
    "mount ${HOME}:/home",
    "env NCCL_DEBUG=INFO",
  ]);
  const done = JSON.parse((await script.import("--json", "--verify")).stdout);
  assert.equal(done.digest, arm64.manifest.digest);
  assert.equal(done.output, script.output);
  assert.equal(done.imported, true);
  assert.match((await runProgram("unsquashfs", ["-s", script.output])).stdout, /gzip/);
  const again = JSON.parse((await script.import("--json")).stdout);
  const { size } = statSync(script.output);
  assert.deepEqual(again, {
    output: script.output,
    imported: false,
    uri: `oci:${layout}:many`,
    bytes: size,
  });
});

testOneRuntime("an output from elsewhere is replaced with --force only", async (denroot) => {
  const script = new Script(denroot);
  script.write([`image oci:${layout}:one`, "output ${IMAGES}/app.sqsh"]);
  writeFileSync(script.output, "precious");
  const refused = await script.import();
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /^\[ERROR\] .*app\.sqsh is there already.*\n.*--force/);
  assert.equal(statSync(script.output).size, "precious".length);
  await script.imported("--force");
  assert.equal(await script.content(), "one");
});

testOneRuntime("many runs at once end with one image and no failure", async (denroot) => {
  const script = new Script(denroot);
  script.write([`image oci:${layout}:one`, "output ${IMAGES}/app.sqsh"]);
  const results = await Promise.all([1, 2, 3, 4].map(() => script.import()));
  for (const { exitCode, stderr } of results) {
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /Wrote|is up to date/);
  }
  assert.deepEqual(readdirSync(dirname(script.output)), ["app.sqsh"]);
  assert.equal(await script.content(), "one");
});

testOneRuntime(
  "mistakes are told by line, all at once, before anything is done",
  async (denroot) => {
    const script = new Script(denroot);
    script.write(["imag docker://alpine", "output ${NOWHERE}/x.sqsh"]);
    const { exitCode, stderr } = await script.start();
    assert.equal(exitCode, 1);
    assert.equal(
      stderr,
      `[ERROR] ${script.path}, line 3: "imag" is not known; is it "image"?\n` +
        `        ${script.path}, line 4: NOWHERE is not set; set it, or write \${NOWHERE:-DEFAULT}, ` +
        "or \\$ for a dollar sign\n" +
        `        ${script.path}, line 1: no line of this definition names the image\n`,
    );
  },
);

testOneRuntime("options come from the first line and from the user", async (denroot) => {
  const script = new Script(denroot);
  const lines = [`image oci:${layout}:one`, "output ${IMAGES}/app.sqsh"];
  script.write(lines, "/usr/bin/env -S denroot --json");
  assert.equal(JSON.parse((await script.import()).stdout).imported, true);
  const help = await script.run("--help");
  assert.match(help, /^Usage: denroot \S+\/app \[options\] \[COMMAND\.\.\.\]\n/);
  assert.match(help, new RegExp(`\\n  image +oci:${layout}:one\\n  output +${script.output}\\n`));
  // A stray argument may be a password: it is not shown.
  for (const [argument, shown] of [["more", "no command runs"], ["--frob", "--frob"]] as const) {
    const { exitCode, stderr } = await script.import(argument);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, new RegExp(`${shown}.*\\n +See (denroot )?${script.path} --help`));
  }
  rmSync(script.output);
  script.write(lines, "/usr/bin/env -S denroot --debug");
  await script.imported();
  assert(existsSync(script.output));
});

testOneRuntime(
  "a file for enroot batch, and a file of any kind, are told apart",
  async (denroot) => {
    const script = new Script(denroot);
    script.write(["#ENROOT_ROOTFS=ubuntu"]);
    const batch = await script.start();
    assert.equal(batch.exitCode, 1);
    assert.match(
      batch.stderr,
      /app is a script for batch, not a definition\n.*denroot batch .*app;/,
    );
    writeFileSync(join(denroot.work, "notes"), "buy milk\n");
    const other = await denroot.run(["notes"]);
    assert.equal(other.exitCode, 1);
    assert.match(other.stderr, /notes, line 1: this is no image definition: its first line is not/);
  },
);
