/** The manual pages are complete and correct, and a real man shows them. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createProgram } from "../../lib/command/run_command_line.ts";
import { ENVIRONMENT } from "../../lib/command/manual/manual_tables.ts";
import { roffText, runningText } from "../../lib/command/manual/roff.ts";
import { loadSettings } from "../../lib/config/settings.ts";
import { runProgram, startProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { newContext, runInProcess } from "./command_context.ts";

const scratch = scratchDirectory("manual");
const program = createProgram(newContext().context);
const TOPICS: readonly string[] = ["", ...program.commands.map((command) => command.name())];

async function page(topic: string, programName?: string): Promise<string> {
  const text = await runInProcess(["help", "--man", ...(topic ? [topic] : [])], programName);
  const path = join(scratch, `${programName ?? "denroot"}${topic && `-${topic}`}.1`);
  writeFileSync(path, text);
  return path;
}

/** The page as man shows it on a screen of 80 columns. */
async function read(path: string): Promise<string> {
  const env = { PATH: process.env.PATH, LANG: "C.UTF-8", MANWIDTH: "80", MANPAGER: "cat" };
  return (await runProgram("man", ["-l", path], { env })).stdout;
}

for (const topic of TOPICS) {
  const name = ["denroot", topic].filter((word) => word !== "").join("-");
  const command = program.commands.find((command) => command.name() === topic) ?? program;

  test(`${name}(1) breaks no rule of roff`, async () => {
    const path = await page(topic);
    const lint = await startProgram("mandoc", ["-Tlint", path]).done;
    assert.deepEqual([lint.stdout, lint.stderr], ["", ""]);
    const groff = await runProgram("groff", ["-ww", "-man", "-Tutf8", path]);
    assert.equal(groff.stderr, "");
  });

  test(`${name}(1) has everything that the help has, on a screen`, async () => {
    const text = await read(await page(topic));
    assert.match(text, new RegExp(`^${name.toUpperCase()}\\(1\\) +User Commands`));
    for (const title of ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"]) {
      assert.match(text, new RegExp(`^${title}$`, "m"));
    }
    const words = text.replace(/\s+/g, " ");
    for (const { flags, description } of command.options) {
      assert.ok(words.includes(flags.replace(/[<>]/g, "")), flags);
      assert.ok(words.toLowerCase().includes(description.toLowerCase()), description);
    }
    for (const paragraph of command.description().split("\n\n")) {
      assert.ok(words.includes(paragraph.replace(/\.$/, "")), paragraph);
    }
    assert.deepEqual(text.split("\n").filter((line) => line.length > 80), []);
  });
}

test("the program's page lists all commands and settings", async () => {
  const text = await read(await page(""));
  for (const command of program.commands) {
    assert.match(text, new RegExp(`denroot-${command.name()}\\(1\\)`));
  }
  const { entries } = await loadSettings({ HOME: "/home/me", ENROOT_SYSCONF_PATH: "/nonexistent" });
  for (const { name } of entries) assert.match(text, new RegExp(`^ +${name}$`, "m"));
});

test("settings name only commands that exist", () => {
  const named = new Set(ENVIRONMENT.flatMap(({ commands }) => commands));
  assert.deepEqual([...named].filter((name) => !TOPICS.includes(name)), []);
});

test("a command that takes an image's URI names the settings for registries", () => {
  const fetching = program.commands.filter(({ registeredArguments, options }) =>
    registeredArguments.some((argument) => argument.name() === "URI") ||
    options.some(({ long }) => long === "--src-user")
  ).map((command) => command.name());
  assert.ok(fetching.includes("copy") && fetching.includes("tags"));
  for (const name of ["ENROOT_ALLOW_HTTP", "https_proxy", "ENROOT_MAX_CONNECTIONS"]) {
    const { commands } = ENVIRONMENT.find((row) => row.name === name)!;
    assert.deepEqual(fetching.filter((command) => !commands.includes(command)), [], name);
  }
});

test("command lines stay as they are", async () => {
  const text = await read(await page("completions"));
  assert.match(text, /^ +bash, in ~\/.bashrc\n +source <\(denroot completions bash\)$/m);
});

test("the pages have the name by which the user called the program", async () => {
  const text = await read(await page("import", "enroot"));
  assert.match(text, /^ENROOT-IMPORT\(1\)/);
  assert.match(text, /^ +enroot import \[OPTIONS\] URI$/m);
});

test("every character shows as it is", async () => {
  const text = `.dot 'quote' "double" \`grave\` a\\b c\\n ~ ^ --flag-name {$x} @ # end`;
  const path = join(scratch, "characters.1");
  writeFileSync(
    path,
    [".TH X 1 2026-01-01", ".SH NAME", "x \\- y", ".SH T", roffText(text), ""].join("\n"),
  );
  assert.ok((await read(path)).includes(text));
});

test("running text breaks into short lines, and each sentence begins a line", () => {
  assert.deepEqual(runningText("One. Two is e.g. here. .Three"), [
    "One.",
    "Two is e.g. here. .Three",
  ]);
  const long = `${"x".repeat(90)} ${"word ".repeat(40)}`.trim();
  const lines = runningText(long);
  assert.equal(lines.join(" "), long);
  assert.ok(lines.slice(1).every((line) => line.length <= 60));
});
