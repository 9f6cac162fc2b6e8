/** Which names containers can have, and which of them are found. */

import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  containerNames,
  containerPlace,
  createdName,
  findContainer,
  loadedName,
} from "../../lib/container/container_name.ts";
import { parseReference } from "../../lib/reference/parse_reference.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("names");
const dataPath = join(scratch, "data");
const settings = { dataPath };

const REFUSED: readonly (readonly [name: string, why: RegExp])[] = [
  ["", /it is empty$/],
  [".", /it begins with a dot$/],
  ["..", /it begins with a dot$/],
  [".hidden", /it begins with a dot$/],
  ["a/b", /it has a "\/"$/],
  ["../etc", /it has a "\/"$/],
  ["/etc", /it has a "\/"$/],
  ["-f", /it begins with a dash$/],
  ["a\nb", /it has a control character$/],
  ["a\0b", /it has a control character$/],
  ["a\x1b[2J", /it has a control character$/],
  ["x".repeat(256), /it has more than 255 bytes$/],
  ["ä".repeat(128), /it has more than 255 bytes$/],
];

for (const [name, message] of REFUSED) {
  test(`${JSON.stringify(name.slice(0, 20))} cannot be a container's name`, () => {
    assert.throws(() => containerPlace(settings, name), { code: "usage", message });
  });
}

for (
  const name of ["a", "pyxis_12.0", "pyxis_7_my", "a+b", "ü", "a b", "x".repeat(255), "a..", "~"]
) {
  test(`${JSON.stringify(name.slice(0, 20))} can be a container's name`, () => {
    assert.deepEqual(containerPlace(settings, name), { name, path: join(dataPath, name) });
  });
}

test("a container gets the name of its image without the ending", () => {
  const names = ["/x/a.sqsh", "a.squashfs", "b+1.sqsh", "c", "d.sqsh.sqsh", ".sqsh"].map(
    createdName,
  );
  assert.deepEqual(names, ["a", "a", "b+1", "c", "d.sqsh", ".sqsh"]);
});

const LOADED: readonly (readonly [uri: string, name: string])[] = [
  ["docker://alpine", "alpine+latest"],
  ["docker://library/alpine:3.20", "alpine+3.20"],
  ["docker://nvcr.io#nvidia/pytorch:25.06-py3", "nvidia+pytorch+25.06-py3"],
  ["oci:/images/pytorch:25.06", "pytorch+25.06"],
];

for (const [uri, name] of LOADED) {
  test(`${uri} is loaded as ${name}`, () => assert.equal(loadedName(parseReference(uri)), name));
}

test("only directories are containers, and no link is followed", () => {
  assert.deepEqual(containerNames({ dataPath: join(dataPath, "missing") }), []);
  mkdirSync(join(dataPath, "real/etc"), { recursive: true });
  mkdirSync(join(dataPath, ".denroot-x.root"));
  writeFileSync(join(dataPath, "file"), "");
  symlinkSync("/etc", join(dataPath, "link"));
  // As enroot lists them: all but hidden names.
  assert.deepEqual(containerNames(settings), ["file", "link", "real"]);
  assert.deepEqual(findContainer(settings, "real"), { name: "real", path: join(dataPath, "real") });
  assert.throws(() => findContainer(settings, "link"), {
    code: "file",
    hint: /does not follow links/,
  });
  assert.throws(() => findContainer(settings, "file"), {
    code: "file",
    message: /not a directory/,
  });
  assert.throws(() => findContainer(settings, "reel"), {
    code: "not_found",
    message: `No such container: ${join(dataPath, "reel")}`,
    hint: /Is it "real"\?/,
  });
  assert.throws(() => findContainer(settings, "other"), {
    code: "not_found",
    hint: "denroot list shows all containers",
  });
});

test("a directory of containers that cannot be looked into is named with its setting", () => {
  const file = join(scratch, "no-directory");
  writeFileSync(file, "");
  assert.throws(() => findContainer({ dataPath: file }, "box"), {
    code: "file",
    hint: /ENROOT_DATA_PATH/,
  });
});
