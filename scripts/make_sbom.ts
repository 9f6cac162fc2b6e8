/**
 * Writes DIRECTORY/denroot.cdx.json, the bill of materials (CycloneDX 1.6) of the executables in
 * DIRECTORY. It reads the lock file and what scripts/build_squashfs wrote about its work. Nothing in
 * the bill is random: the same inputs give the same bytes.
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

interface LockedPackage {
  readonly version: string;
  /** `sha512-BASE64`: the digest of the package's archive. */
  readonly integrity: string;
  readonly license: string;
  readonly dev?: boolean;
}

/** One entry of build/squashfs/components.json. */
interface SquashfsComponent {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Debian's source package and its version. */
  readonly source: string;
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

interface Component {
  readonly "bom-ref": string;
  readonly [field: string]: unknown;
}

const project = fileURLToPath(new URL("..", import.meta.url));

function main(directory: string): void {
  const { name, version, license } = readJson<{ name: string; version: string; license: string }>(
    "package.json",
  );
  const locked =
    readJson<{ packages: Record<string, LockedPackage> }>("package-lock.json").packages;
  const executables = readdirSync(directory).filter((file) => file.startsWith("denroot-linux-"))
    .sort();
  const denroot: Component = {
    type: "application",
    "bom-ref": `pkg:generic/${name}@${version}`,
    name,
    version,
    licenses: licences(license),
    purl: `pkg:generic/${name}@${version}`,
    components: [
      ...executables.map((file) => fileComponent(file, sha256Of(directory, file))),
      ...executables.flatMap(ownPrograms),
    ],
  };
  const packages = Object.keys(locked).filter((path) => path !== "" && !locked[path]!.dev);
  const runtimes = executables.map((file) =>
    `node_modules/@oven/bun-linux-${file.replace(/.*-/, "").replace("arm64", "aarch64")}`
  );
  const npm = packages.map((path) => npmComponent(path, locked[path]!));
  const bun = runtimes.map((path) => runtimeComponent(path, locked[path]!));
  const [tools, ...libraries] = readJson<SquashfsComponent[]>("build/squashfs/components.json")
    .map(debianComponent) as [Component, ...Component[]];
  const bill = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { timestamp: timestamp(), component: denroot },
    components: [...npm, ...bun, tools, ...libraries],
    dependencies: [
      dependency(denroot, [...npm, ...bun, tools]),
      ...[...npm, ...bun].map((component) => dependency(component, [])),
      dependency(tools, libraries),
      ...libraries.map((component) => dependency(component, [])),
    ],
  };
  writeFileSync(join(directory, "denroot.cdx.json"), `${JSON.stringify(bill, null, 2)}\n`);
}

/** The small programs of denroot's own, in C, that an executable carries. */
function ownPrograms(executable: string): Component[] {
  const architecture = executable.replace(/.*-/, "");
  return [`build/enter/${architecture}/enter`, `build/squashfs/${architecture}/serve_image`]
    .map((path) => fileComponent(path, sha256Of(project, path)));
}

/** The package's name, version and digest identify it, wherever it is fetched from. */
function npmComponent(path: string, locked: LockedPackage): Component {
  const name = path.replace(/^.*node_modules\//, "");
  const purl = `pkg:npm/${name.replace("@", "%40")}@${locked.version}`;
  return {
    type: "library",
    "bom-ref": purl,
    name,
    version: locked.version,
    licenses: licences(locked.license),
    purl,
    hashes: [{ alg: "SHA-512", content: hexOf(locked.integrity) }],
  };
}

/** Bun holds libraries of its own, which only its makers can list. */
function runtimeComponent(path: string, locked: LockedPackage): Component {
  return {
    ...npmComponent(path, locked),
    type: "platform",
    description:
      "Bun, with JavaScriptCore (LGPL-2.0-or-later) and the libraries that its licence page lists",
    externalReferences: [{
      type: "license",
      url: `https://github.com/oven-sh/bun/blob/bun-v${locked.version}/LICENSE.md`,
    }],
  };
}

function debianComponent(component: SquashfsComponent): Component {
  const [source, version] = component.source.split(" ") as [string, string];
  const purl = `pkg:deb/debian/${source}@${encodeURIComponent(version)}?arch=source`;
  return {
    type: component.name === "squashfs-tools" ? "application" : "library",
    "bom-ref": purl,
    name: component.name,
    version: component.version,
    licenses: licences(component.licence),
    purl,
    ...pedigree(component),
    components: component.files.map((file) =>
      fileComponent(file.name, file.sha256, `${component.name}/${file.name}`)
    ),
  };
}

/** The changes that denroot makes to the source package; they lie beside its sources. */
function pedigree({ files }: SquashfsComponent) {
  const patches = files.filter(({ name }) => name.endsWith(".patch"));
  if (patches.length === 0) return {};
  return {
    pedigree: {
      patches: patches.map(({ name }) => ({ type: "unofficial", diff: { url: name } })),
    },
  };
}

function fileComponent(name: string, sha256: string, reference = name): Component {
  return {
    type: "file",
    "bom-ref": `file:${reference}`,
    name,
    hashes: [{ alg: "SHA-256", content: sha256 }],
  };
}

function dependency(component: Component, on: readonly Component[]) {
  return { ref: component["bom-ref"], dependsOn: on.map((one) => one["bom-ref"]) };
}

/** One identifier from the list of SPDX, or an expression of several. */
function licences(spdx: string) {
  return spdx.includes(" ") ? [{ expression: spdx }] : [{ license: { id: spdx } }];
}

function timestamp(): string {
  return new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000).toISOString()
    .replace(".000Z", "Z");
}

function hexOf(integrity: string): string {
  return Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
}

function sha256Of(directory: string, file: string): string {
  return createHash("sha256").update(readFileSync(join(directory, file))).digest("hex");
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(project, path), "utf8"));
}

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  process.stderr.write("Usage: scripts/make_sbom.ts DIRECTORY\n");
  process.exit(2);
}
main(directory);
