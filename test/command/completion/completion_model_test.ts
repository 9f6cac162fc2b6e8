/** The definition of a command is enough for completion. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Argument, Command, Option } from "commander";
import { test } from "node:test";
import { bashScript } from "../../../lib/command/completion/bash_script.ts";
import { completionModel } from "../../../lib/command/completion/completion_model.ts";
import { fishScript } from "../../../lib/command/completion/fish_script.ts";
import { zshScript } from "../../../lib/command/completion/zsh_script.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("completion-model");

function program(): Command {
  const start = new Command("start").summary("Start it's [container]: now")
    .addOption(new Option("--mode <MODE>", "how").choices(["slow", "quick"]))
    .option("-m, --mount <DIRECTORY>", "what's mounted")
    .option("--label <TEXT>", "any text")
    .addOption(new Option("--secret <X>", "not shown").hideHelp())
    .argument("<NAME|FILE>", "a container, or an image file")
    .addArgument(new Argument("[COMMANDS...]", "what to run"));
  return new Command("denroot").addCommand(start);
}

test("values come from choices, or else from the name of the placeholder", () => {
  const { commands } = completionModel(program());
  const [start] = commands;
  const values = Object.fromEntries(
    start!.options.map(({ flags, value }) => [flags.join(" "), value]),
  );
  assert.deepEqual(values, {
    "--mode": { name: "MODE", kind: "words", words: [{ text: "slow" }, { text: "quick" }] },
    "-m --mount": { name: "DIRECTORY", kind: "directory" },
    "--label": { name: "TEXT", kind: "none" },
    "-h --help": undefined,
  });
  assert.deepEqual(start!.arguments, [
    { value: { name: "NAME|FILE", kind: "file" }, required: true, variadic: false },
    { value: { name: "COMMANDS", kind: "none" }, required: false, variadic: true },
  ]);
});

test("scripts for commands with quotes, brackets and colons are correct in every shell", async () => {
  const model = completionModel(program());
  for (
    const [shell, text] of [
      ["bash", bashScript(model)],
      ["zsh", zshScript(model)],
      ["fish", fishScript(model)],
    ] as const
  ) {
    const path = join(scratch, `start.${shell}`);
    writeFileSync(path, text);
    await runProgram(shell, ["-n", path]);
    assert.match(text, /\bstart\b/);
    assert.doesNotMatch(text, /secret/);
  }
});

test("fish offers the values from the definition", async () => {
  const path = join(scratch, "offers.fish");
  writeFileSync(path, fishScript(completionModel(program())));
  mkdirSync(join(scratch, "one"), { recursive: true });
  writeFileSync(join(scratch, "one.sqsh"), "");
  const offers = async (line: string) =>
    (await runProgram("fish", ["--no-config", "-c", `source '${path}'; complete -C '${line}'`], {
      cwd: scratch,
      env: { PATH: process.env.PATH, HOME: scratch },
    })).stdout.trim().split("\n").map((offer) => offer.split("\t")[0]).sort();
  assert.deepEqual(await offers("denroot st"), ["start"]);
  assert.deepEqual(await offers("denroot start --mode "), ["quick", "slow"]);
  assert.deepEqual(await offers("denroot start --mount on"), ["one/"]);
  assert.deepEqual(await offers("denroot start on"), ["one.sqsh", "one/"]);
  assert.deepEqual(await offers("denroot start x on"), [""]);
});
