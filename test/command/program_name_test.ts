/** Under the name enroot the program calls itself enroot. */

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { bun, deno, releasedDenroot } from "../helpers/denroot_command.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("program-name");
const entryPoint = fileURLToPath(new URL("../../cli.ts", import.meta.url));

type Called = readonly [title: string, command: () => readonly [string, ...string[]]];

const [executable] = releasedDenroot().command;

const CALLED: readonly Called[] = [
  ["Bun, through a link to the source", () => {
    const link = join(directory("bun"), "enroot");
    symlinkSync(entryPoint, link);
    return [bun.command[0], link];
  }],
  ["Bun, by a wrapper", () => ["bash", "-c", 'exec -a enroot "$@"', "wrapper", ...bun.command]],
  ["Deno, by a wrapper", () => ["bash", "-c", 'exec -a enroot "$@"', "wrapper", ...deno.command]],
  ["the executable, through a link", () => {
    const link = join(directory("link"), "enroot");
    symlinkSync(executable, link);
    return [link];
  }],
  ["the executable, through a link that PATH leads to", () => {
    const link = join(directory("path"), "enroot");
    symlinkSync(executable, link);
    return ["bash", "-c", `PATH="${join(scratch, "path")}:$PATH"; exec enroot "$@"`, "shell"];
  }],
  ["the executable, copied", () => {
    const copy = join(directory("copy"), "enroot");
    copyFileSync(executable, copy);
    return [copy];
  }],
];

function directory(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

for (const [title, command] of CALLED) {
  test(`the program calls itself enroot (${title})`, async () => {
    const [program, ...first] = command();
    const run = async (...args: readonly string[]) =>
      (await runProgram(program, [...first, ...args], {
        cwd: scratch,
        env: { PATH: process.env.PATH, HOME: scratch },
      })).stdout;
    assert.match(await run("--help"), /^Usage: enroot /);
    const help = await run("import", "--help");
    assert.match(help, /^Usage: enroot import /);
    assert.match(help, /^ {2}\$ enroot import /m);
    assert.match(await run("completions", "bash"), /^complete -F _enroot enroot$/m);
    assert.match(await run("help", "--man", "doctor"), /^\.TH "ENROOT\\-DOCTOR" 1/);
    assert.match(await run("version"), /^\d+\.\d+\.\d+\n$/);
  });
}

test("the argument enroot does not change the name", async () => {
  const { stdout } = await runProgram(bun.command[0], [
    ...bun.command.slice(1),
    "import",
    "--help",
    "enroot",
  ]);
  assert.match(stdout, /^Usage: denroot import /);
});
