/** `deno task compile`, as far as it goes without Deno's base executable. */

import assert from "node:assert/strict";
import { globSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deno, Denroot } from "../helpers/denroot_command.ts";
import { project } from "../helpers/release.ts";
import { runProgram, startProgram } from "../helpers/run_program.ts";

const stage = join(project, "build/deno/stage");
const denoProgram = realpathSync(join(project, "node_modules/.bin/deno"));
const architecture = process.arch === "arm64" ? "arm64" : "x64";

test("the program holds every worker and all carried files; another base is refused", async () => {
  const result = await compile({ DENORT_BIN: denoProgram });
  assert.equal(result.exitCode, 1, result.stderr);
  assert.match(result.stderr, /\[ERROR\] .*DENORT_BIN names a program that is not the denort/);
  const program = readFileSync(join(project, "build/deno/denroot"));
  const workers = globSync("lib/**/*_worker.ts", { cwd: project });
  assert.ok(workers.length >= 2);
  const carried = ["mksquashfs", "unsquashfs"].map((tool) => `${architecture}/${tool}`)
    .concat("components.json", "notice.txt").map((name) => `build/squashfs/${name}`);
  for (const path of [...workers, ...carried]) {
    assert.ok(program.includes(readFileSync(join(project, path))), path);
  }
  const { dependencies } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
  assert.deepEqual(
    readdirSync(join(stage, "node_modules")).sort(),
    Object.keys(dependencies).sort(),
  );
});

test("the staged files run under Deno with the staged squashfs tools", async () => {
  const denroot = new Denroot({
    name: "what is compiled",
    command: [denoProgram, ...deno.command.slice(1, -1), join(stage, "cli.ts")],
  });
  try {
    assert.match((await denroot.succeed(["info"])).stdout, /mksquashfs +[\d.]+\S* +denroot's own/);
    const image = await denroot.import(`oci:${join(project, "sample/hello")}`);
    const tool = join(stage, "build/squashfs", architecture, "unsquashfs");
    const { stdout } = await runProgram(tool, ["-cat", image, "etc/rc"]);
    assert.match(stdout, /exec/);
  } finally {
    denroot.remove();
  }
});

test("one line says that denort is missing", async () => {
  const nowhere = { DENORT_BIN: join(project, "build/deno/none") };
  assert.match(
    (await compile(nowhere)).stderr,
    /^\[ERROR\] DENORT_BIN names .*, which is not there\n$/,
  );
  const offline = { DENORT_BIN: undefined, DENO_DIR: join(project, "build/deno/cache") };
  const started = performance.now();
  const proxy = "http://127.0.0.1:9";
  const result = await compile({ ...offline, https_proxy: proxy, HTTPS_PROXY: proxy });
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /^\[ERROR\] Deno's base executable is missing: .*DENORT_BIN.*\n$/);
  assert.ok(performance.now() - started < 30_000);
});

function compile(env: Record<string, string | undefined>) {
  return startProgram(join(project, "scripts/compile_deno"), [], {
    env: { ...process.env, ...env },
  }).done;
}
