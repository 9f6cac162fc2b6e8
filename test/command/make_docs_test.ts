/** The generated tables of README.md and docs/ are those of today. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ALL_SETTINGS } from "../../lib/config/table/setting_table.ts";
import { ALL_SCHEME_FACTS } from "../../lib/reference/scheme_facts.ts";
import { fillPage, fillPages, makeTables } from "../../scripts/make_docs.ts";
import { bun } from "../helpers/denroot_command.ts";
import { runProgram, startProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const script = join(project, "scripts/make_docs.ts");
const tables = makeTables();

test("the tables in README.md and docs/ are up to date (else run scripts/make_docs.ts)", () => {
  const stale = fillPages(project).filter(({ text, filled }) => text !== filled);
  assert.deepEqual(stale.map(({ path }) => path), []);
});

test("the script fills pages, keeps the text around tables, and then has nothing to do", async () => {
  const directory = scratchDirectory("make-docs");
  mkdirSync(join(directory, "docs/more"), { recursive: true });
  const page = (name: string) => `# Title\n\n<!-- generated: ${name} -->\n<!-- end -->\n\nMore\n`;
  writeFileSync(join(directory, "README.md"), page("commands"));
  writeFileSync(join(directory, "docs/more/settings.md"), page("settings"));
  writeFileSync(join(directory, "docs/plain.md"), "No table\n");
  const run = (...args: readonly string[]) =>
    startProgram(bun.command[0], [script, ...args, directory]).done;

  const before = await run("--check");
  assert.equal(before.exitCode, 1);
  assert.match(before.stderr, /README\.md is out of date.*\n.*docs\/more\/settings\.md is out/);
  assert.doesNotMatch(before.stderr, /plain/);
  assert.equal(readFileSync(join(directory, "README.md"), "utf8"), page("commands"));

  assert.equal((await run()).exitCode, 0);
  const text = readFileSync(join(directory, "README.md"), "utf8");
  assert.match(text, /^# Title\n\n<!-- generated: commands -->\n\n\| Command +\| What it does/);
  assert.match(text, /\|\n\n<!-- end -->\n\nMore\n$/);
  const after = await run("--check");
  assert.deepEqual([after.exitCode, after.stderr], [0, ""]);

  const deno = join(project, "node_modules/.bin/deno");
  await runProgram(deno, ["fmt", "--check", "--no-config", directory]);
});

test("a marker in a block of code is text", () => {
  const text = "```\n<!-- generated: nonsense -->\n```\n";
  assert.equal(fillPage("x.md", text, tables), text);
});

const WRONG: ReadonlyArray<[text: string, message: RegExp]> = [
  [
    "\n<!-- generated: nonsense -->\n<!-- end -->\n",
    /^x\.md, line 2: there is no table "nonsense"/,
  ],
  ["<!-- generated: files -->\n", /^x\.md: the table from line 1 does not end$/],
  ["<!-- generated: files -->\n<!-- generated: files -->\n", /line 2: the table from line 1 does/],
  ["text\n<!-- end -->\n", /^x\.md, line 2: no generated table begins before this end$/],
];

for (const [text, message] of WRONG) {
  test(`${JSON.stringify(text)} is an error`, () => {
    assert.throws(() => fillPage("x.md", text, tables), { message });
  });
}

test("tables leave nothing out", () => {
  for (const [name] of ALL_SETTINGS) {
    assert(tables.get("settings")?.includes(`| \`${name}\``), name);
  }
  for (const { form } of ALL_SCHEME_FACTS) {
    assert(tables.get("schemes")?.includes(`| \`${form.replaceAll("|", "\\|")}\``), form);
  }
  assert.match(tables.get("options import") ?? "", /^\| `-a`, `--arch ARCH` +\| Architecture of/m);
  assert.match(tables.get("commands") ?? "", /^\| `denroot help \[COMMAND\]` +\| Show how/m);
  assert.match(tables.get("files") ?? "", /^\| `~\/\.docker\/config\.json` /m);
  assert.match(tables.get("exit-codes") ?? "", /^\| 128\+n \| /m);
});
