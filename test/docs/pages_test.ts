/** The pages name what there is, and the plot has the figures of its page. */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { createProgram } from "../../lib/command/run_command_line.ts";
import { drawPerformance, type PerformanceFigures } from "../../scripts/pictures/performance.ts";
import { newContext } from "../command/command_context.ts";
import { HOW_TO_REMAKE, pages, project, textOf } from "./pages.ts";

const README_LINES = 120;
const readme = textOf("README.md");

test("the README stays short and leads to every page", () => {
  assert.ok(readme.split("\n").length <= README_LINES);
  const missing = pages.map(({ path }) => path)
    .filter((path) => path !== "README.md" && !readme.includes(`](${path})`));
  assert.deepEqual(missing, []);
});

test("links between the pages lead somewhere", () => {
  const broken: string[] = [];
  for (const { path, text } of pages) {
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? path : normalize(join(dirname(path), file));
      const isThere = existsSync(join(project, target)) &&
        (anchor === undefined || anchorsOf(textOf(target)).includes(anchor));
      if (!isThere) broken.push(`${path}: ${link}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("files that the pages name are there", () => {
  const names = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/`((?:lib|scripts|test|sample|docs)\/[\w/.]*|\w+\.ts)`/g)]
      .map((match) => ({ path, name: match[1]! }))
  );
  assert.ok(names.length > 40);
  const invented = ["import.ts", "snake_case.ts", "lib/command/NAME.ts"];
  const missing = names.filter(({ name }) =>
    !invented.includes(name) && !existsSync(join(project, name))
  );
  assert.deepEqual(missing, []);
});

test("ARCHITECTURE names every room", () => {
  const architecture = textOf("ARCHITECTURE.md");
  const rooms = readdirSync(join(project, "lib"), { withFileTypes: true })
    .map((entry) => entry.isDirectory() ? `\`lib/${entry.name}/\`` : `\`lib/${entry.name}\``);
  assert.deepEqual(rooms.filter((room) => !architecture.includes(room)), []);
});

test("the page of commands has a place for the options of each", () => {
  const page = textOf("docs/commands.md");
  const names = createProgram(newContext().context).commands.map((command) => command.name());
  const missing = names.filter((name) => !page.includes(`\n<!-- generated: options ${name} -->\n`));
  assert.deepEqual(missing, []);
});

test("the plot of performance has today's figures", () => {
  const figures: PerformanceFigures = JSON.parse(textOf("docs/performance.json"));
  assert.equal(textOf("docs/performance.svg"), drawPerformance(figures), HOW_TO_REMAKE);
});

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map((match) =>
    match[1]!.toLowerCase().replace(/[^\w -]/g, "").replaceAll(" ", "-")
  );
}
