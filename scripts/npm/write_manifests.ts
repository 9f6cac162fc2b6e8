/**
 * Writes what only the npm packages have: their package.json, the READMEs of the packages that hold
 * an executable, and the module that Node gets in the library's place.
 */

import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as library from "../../mod.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const { name, version, description, type, bin, engines } = JSON.parse(
  readFileSync(join(project, "package.json"), "utf8"),
);
/** The packages hold programs of other licences too. */
const LICENSES = "SEE LICENSE IN LICENSES.txt";

function main(stage: string, platforms: readonly string[]): void {
  writeMain(join(stage, name), platforms);
  for (const platform of platforms) writePlatform(join(stage, `${name}-${platform}`), platform);
}

function writeMain(directory: string, platforms: readonly string[]): void {
  writeJson(directory, {
    name,
    version,
    description,
    license: LICENSES,
    type,
    bin,
    man: globSync("share/man/man1/*", { cwd: directory }).sort(),
    exports: {
      ".": {
        types: "./mod.d.ts",
        bun: "./mod.js",
        deno: "./mod.js",
        node: "./node.js",
        default: "./mod.js",
      },
      "./package.json": "./package.json",
    },
    engines,
    optionalDependencies: Object.fromEntries(
      platforms.map((platform) => [`@${name}/${platform}`, version]),
    ),
  });
  writeFileSync(join(directory, "node.js"), refusal());
}

function writePlatform(directory: string, platform: string): void {
  const [os, cpu] = platform.split("-");
  writeJson(directory, {
    name: `@${name}/${platform}`,
    version,
    description: `The executable of ${name} for ${platform}`,
    license: LICENSES,
    os: [os],
    cpu: [cpu],
    libc: ["glibc"],
    // An executable inside a ZIP archive could not be run.
    preferUnplugged: true,
  });
  writeFileSync(
    join(directory, "README.md"),
    `# @${name}/${platform}\n\nThis package holds the executable of ${name} for ${platform}. ` +
      `Install the package \`${name}\`, which brings it.\n\n` +
      "`LICENSES.txt` has the licences of all that is inside, and `source/` the sources that the " +
      "GPL asks to be kept with it.\n",
  );
}

/** It exports all names, because an import of a missing name would fail with another message. */
function refusal(): string {
  const message = "denroot's library runs under Bun and Deno, and this is Node. " +
    "In Node, run the command denroot";
  return `throw new Error(${JSON.stringify(message)});\n` +
    `let ${Object.keys(library).sort().join(", ")};\n` +
    `export { ${Object.keys(library).sort().join(", ")} };\n`;
}

function writeJson(directory: string, content: unknown): void {
  writeFileSync(join(directory, "package.json"), `${JSON.stringify(content, undefined, 2)}\n`);
}

const [stage, ...platforms] = process.argv.slice(2);
if (stage === undefined || platforms.length === 0) {
  process.stderr.write("Usage: scripts/npm/write_manifests.ts DIRECTORY PLATFORM...\n");
  process.exit(2);
}
main(stage, platforms);
