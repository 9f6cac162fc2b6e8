/** The examples in the README work, and its tables are complete. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { loadSettings } from "../../lib/config/settings.ts";
import { readDefinition } from "../../lib/definition/read_definition.ts";
import { bun, deno, useDenroot } from "../helpers/denroot_command.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(project, "README.md"), "utf8");
const denroot = useDenroot();
const scratch = scratchDirectory("readme");

for (const runtime of [bun, deno]) {
  test(`the script imports an image through the library under ${runtime.name}`, async () => {
    const script = /```ts\n(#!.*?)```/s.exec(readme)?.[1];
    assert(script, "the README has no script");
    const path = join(scratch, "import.ts");
    writeFileSync(path, script.replace("./mod.ts", pathToFileURL(join(project, "mod.ts")).href));
    chmodSync(path, 0o755);
    const output = join(scratch, `${runtime.name}.sqsh`);
    const [command, ...args] = [...runtime.command.slice(0, -1), path];
    const result = await runProgram(
      command!,
      [...args, `oci:${join(project, "sample/hello")}`, output],
      { env: denroot.environment() },
    );
    assert.match(result.stdout, new RegExp(`^${output} \\d+ sha256:[0-9a-f]{64}\n$`));
    assert(existsSync(output));
  });
}

test("the example of a definition is correct", () => {
  const text = /```sh\n(#!\/usr\/bin\/env denroot\n.*?)```/s.exec(readme)?.[1];
  assert(text, "the README has no image definition");
  const path = join(scratch, "pytorch");
  writeFileSync(path, text);
  const { platform, output } = readDefinition(path, { HOME: "/home/me" });
  assert.deepEqual([platform, output], ["linux/arm64", "/home/me/images/pytorch.sqsh"]);
});

test("the table of settings has every setting that info shows", async () => {
  const { entries } = await loadSettings({ HOME: "/home/me", ENROOT_SYSCONF_PATH: "/nonexistent" });
  const notUsedYet = new Set(["ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH"]);
  const missing = entries.map((entry) => entry.name)
    .filter((name) => !notUsedYet.has(name) && !readme.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
});

test("the files that the README names exist", () => {
  const names = [...readme.matchAll(/`((?:lib|scripts|test|sample)\/[\w/.]*|\w+\.ts)`/g)];
  assert(names.length > 10);
  for (const [, name = ""] of names) assert(existsSync(join(project, name)), name);
});
