/**
 * Every example in the pages runs, in the order of the page and in one home for each page; see
 * `test/helpers/example_home.ts` for what stands for a reader's machine.
 *
 * - `sh`: a script. It has to succeed.
 * - `console`: the lines after `$ ` are commands, the others are what they print. `…` stands for any
 *   text in a line, and a line `...` for any lines.
 * - `ts`: a module. It has to succeed.
 * - With `file="NAME"` the block is a file for the examples that follow, in any language. A module is
 *   run all the same.
 * - With `not-run="REASON"` the block cannot run here.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { after, before, test } from "node:test";
import { drawSession } from "../../scripts/pictures/session.ts";
import { bun, deno } from "../helpers/denroot_command.ts";
import { ExampleHome } from "../helpers/example_home.ts";
import type { FakeRegistry } from "../helpers/fake_registry.ts";
import { letUsersMount } from "../helpers/fuse.ts";
import type { ProgramResult } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { type Example, examplesOf, HOW_TO_REMAKE, type Page, pages, textOf } from "./pages.ts";
import { startUploadRegistry, type UploadRegistry } from "../helpers/upload_registry.ts";
import { startSampleRegistry } from "./sample_registry.ts";

/** All that is not run, so that it stays little. */
const NOT_RUN = [
  "README.md: the release's own tests build and run the executable",
  "README.md: the test suite would run itself",
  "README.md: needs a GPU, and Slurm",
  "README.md: the image has no such programs",
  "CONTRIBUTING.md: the test suite would run itself",
  "CONTRIBUTING.md: writes into docs/",
  "docs/containers.md: no container runs",
  "docs/containers.md: the image has no such programs",
  "docs/air-gaps.md: needs another machine",
  "docs/air-gaps.md: needs skopeo, podman and Docker",
  "docs/definitions.md: the image has no such programs",
  "docs/doctor.md: shows a machine that lacks something",
  "docs/engines-and-storages.md: needs Docker, podman and ostree",
  "docs/engines-and-storages.md: needs podman",
  "docs/hooks.md: it depends on the machine",
  "docs/hooks.md: a part of a hook",
  "docs/moving-images.md: needs Docker and podman",
  "docs/moving-images.md: needs a registry with accounts",
  "docs/moving-images.md: needs another machine",
  "docs/performance.md: takes minutes and gigabytes",
  "docs/references-and-transports.md: needs Docker, skopeo and another machine",
  "docs/registries-and-credentials.md: needs a proxy",
  "docs/registries-and-credentials.md: needs a registry with a certificate of its own",
  "docs/release.md: needs Bun and Deno on the PATH",
  "docs/release.md: the release's own tests install the packages",
  "docs/settings.md: changes the system",
  "docs/sharing.md: changes the system",
  "docs/site.md: changes the system",
  "docs/site.md: changes the system",
  "docs/versus-enroot.md: needs a registry of NVIDIA's",
];
/** What the examples print is that of an image for this architecture. */
const printsTheSame = process.arch === "x64";
/** For all commands of a page. */
const timeout = 60_000;
const runtime = process.versions["deno"] === undefined ? bun : deno;
const layout = scratchDirectory("registry");
let registry: FakeRegistry;
let farRegistry: UploadRegistry;

before(async () => {
  letUsersMount();
  registry = await startSampleRegistry(layout);
  farRegistry = await startUploadRegistry();
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  await farRegistry[Symbol.asyncDispose]();
});

for (const page of pages) {
  test(`the examples in ${page.path} work`, { timeout }, async () => {
    const home = new ExampleHome({
      runtime,
      registry: registry.host,
      farRegistry: farRegistry.host,
    });
    try {
      for (const example of examplesOf(page)) await runExample(page, example, home);
    } finally {
      home.remove();
    }
  });
}

test("few examples are not run", () => {
  const reasons = pages.flatMap((page) =>
    examplesOf(page).flatMap(({ notRun }) => notRun === undefined ? [] : `${page.path}: ${notRun}`)
  );
  assert.deepEqual(reasons.sort(), NOT_RUN.toSorted());
});

test("the picture of a session shows what the commands print now", {
  skip: !printsTheSame,
  timeout,
}, async () => {
  assert.equal(textOf("docs/session.svg"), await drawSession(), HOW_TO_REMAKE);
});

async function runExample(page: Page, example: Example, home: ExampleHome): Promise<void> {
  const { language, file, notRun, text } = example;
  if (notRun !== undefined || language === "text") return;
  const place = `${page.path}:${example.line}`;
  if (language === "ts") {
    home.write(file ?? "example.ts", text);
    return succeeded(place, await home.runModule(file ?? "example.ts"));
  }
  if (file !== undefined) return home.write(file, text);
  if (language === "sh") return succeeded(place, await home.runScript(text));
  assert.equal(language, "console", `${place}: an example in "${language}" cannot run`);
  for (const { command, output } of commandsOf(text)) {
    const result = await home.runScript(`exec 2>&1\n${command}`);
    succeeded(`${place}: ${command}`, result);
    const printed = home.asPrinted(result.stdout);
    const isAsShown = patternOf(output).test(printed) || !printsTheSame;
    assert.ok(isAsShown, `${place}: ${command}\nprints:\n${printed}not:\n${output.join("\n")}`);
  }
}

function succeeded(place: string, { exitCode, stdout, stderr }: ProgramResult): void {
  assert.equal(exitCode, 0, `${place} fails:\n${stdout}${stderr}`);
}

function commandsOf(text: string): { readonly command: string; readonly output: string[] }[] {
  const commands: { command: string; output: string[] }[] = [];
  for (const line of text.trimEnd().split("\n")) {
    if (line.startsWith("$ ")) commands.push({ command: line.slice(2), output: [] });
    else commands.at(-1)!.output.push(line);
  }
  return commands;
}

function patternOf(lines: readonly string[]): RegExp {
  const patterns = lines.map((line) =>
    line === "..." ? "(?:.*\n)*?" : `${RegExp.escape(line).replaceAll("…", ".*")}\n`
  );
  return new RegExp(`^${patterns.join("")}$`);
}
