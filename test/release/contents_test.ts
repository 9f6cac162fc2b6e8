/** The files of a release beside the executables. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { VERSION } from "../../lib/system/version.ts";
import { architectures, project, releaseFile } from "../helpers/release.ts";

const dist = releaseFile("");

test("SHA256SUMS names every file of the release, and its digest", () => {
  const files = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "SHA256SUMS")
    .map((entry) => join(entry.parentPath, entry.name).slice(dist.length));
  const expected = files.sort().map((file) => `${sha256Of(join(dist, file))}  ${file}\n`).join("");
  const sums = readFileSync(releaseFile("SHA256SUMS"), "utf8");
  assert.equal(sums.split("\n").sort().join("\n"), expected.split("\n").sort().join("\n"));
});

test("the bill of materials names everything that is in the executables", () => {
  const bill = readJson(releaseFile("denroot.cdx.json"));
  assert.deepEqual([bill.bomFormat, bill.specVersion], ["CycloneDX", "1.6"]);
  assert.match(bill.metadata.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual([bill.serialNumber, bill.metadata.component.version], [undefined, VERSION]);
  const names = bill.components.map((component: { name: string }) => component.name);
  const { dependencies } = readJson(join(project, "package.json"));
  const carried = readJson(join(project, "build/squashfs/components.json"));
  assert.deepEqual(names, [
    ...Object.keys(dependencies),
    "@oven/bun-linux-aarch64",
    "@oven/bun-linux-x64",
    ...carried.map((component: { name: string }) => component.name),
  ]);
});

test("the bill's references are unique, and its dependencies refer to what it names", () => {
  const bill = readJson(releaseFile("denroot.cdx.json"));
  const references: string[] = [];
  const collect = (component: { "bom-ref": string; components?: [] }) => {
    references.push(component["bom-ref"]);
    component.components?.forEach(collect);
  };
  [bill.metadata.component, ...bill.components].forEach(collect);
  assert.deepEqual(references.length, new Set(references).size);
  for (const { ref, dependsOn } of bill.dependencies) {
    for (const one of [ref, ...dependsOn]) assert.ok(references.includes(one), one);
  }
  for (const component of bill.components) {
    assert.ok(component.version && component.licenses.length > 0, component.name);
    assert.ok(component.components?.length > 0 || component.hashes?.length > 0);
  }
});

test("the bill's digests are those of the files", () => {
  const bill = readJson(releaseFile("denroot.cdx.json"));
  const [tools] = bill.components.filter((one: { name: string }) => one.name === "squashfs-tools");
  const files: { name: string; hashes: { content: string }[] }[] = [
    ...bill.metadata.component.components,
    ...tools.components,
  ];
  for (const architecture of architectures) {
    const names = files.map(({ name }) => name);
    assert.ok(names.includes(`build/enter/${architecture}/enter`), names.join());
  }
  assert.match(tools.version, /\+wide-directories$/);
  const patches = tools.pedigree.patches.map((one: { diff: { url: string } }) => one.diff.url);
  assert.deepEqual(patches, ["source/wide-directories.patch", "source/less-work.patch"]);
  for (const { name, hashes } of files) {
    const path = [join(dist, name), join(project, name), join(project, "build/squashfs", name)]
      .find(existsSync);
    assert.equal(hashes[0]?.content, sha256Of(path!), name);
  }
});

test("the files for sites lie beside the manual pages", () => {
  assert.deepEqual(readdirSync(releaseFile("share/denroot")).sort(), ["apparmor", "denroot.lua"]);
});

test("the sources and the licences lie beside the executables", () => {
  const sources = readdirSync(releaseFile("source"));
  for (const name of ["squashfs-tools_", "lzo2_"]) {
    for (const part of [/\.dsc$/, /\.orig\.tar\./, /\.debian\.tar\./]) {
      assert.ok(sources.some((file) => file.startsWith(name) && part.test(file)), `${name}${part}`);
    }
  }
  for (const name of ["wide-directories.patch", "less-work.patch"]) {
    assert.ok(sources.includes(name), name);
  }
  const licences = readFileSync(releaseFile("LICENSES.txt"), "utf8");
  for (const name of ["Apache License", "squashfs-tools", "commander", "Bun", "lzo", "glibc"]) {
    assert.ok(licences.includes(name), name);
  }
});

test("every command has a manual page, and each shell its completions", () => {
  const pages = readdirSync(releaseFile("share/man/man1")).sort();
  assert.ok(pages.includes("denroot-import.1"), pages.join(" "));
  for (const page of pages) {
    assert.match(readFileSync(releaseFile(`share/man/man1/${page}`), "utf8"), /^\.TH "?DENROOT/im);
  }
  const shells = [
    "bash-completion/completions/denroot",
    "zsh/site-functions/_denroot",
    "fish/vendor_completions.d/denroot.fish",
  ];
  for (const path of shells) {
    assert.match(readFileSync(releaseFile(`share/${path}`), "utf8"), /\bimport\b/, path);
  }
});

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

// deno-lint-ignore no-explicit-any -- the assertions say what is in it
function readJson(path: string): any {
  return JSON.parse(readFileSync(path, "utf8"));
}
