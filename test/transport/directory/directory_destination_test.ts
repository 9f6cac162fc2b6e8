/** A directory that takes an image: whole, or not at all. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ProgressEvent } from "../../../lib/types/progress.ts";
import { Layout, useCopies } from "../../copy/copy_fixture.ts";
import { deadMark } from "../../helpers/dead_mark.ts";
import { isError } from "../registry/registry_fixture.ts";

const { copy, scratch } = useCopies();
let homes = 0;

interface Home {
  readonly path: string;
  readonly from: string;
  readonly target: string;
}

function newHome(): Home {
  const path = join(scratch, `directory-${++homes}`);
  const source = new Layout(join(path, "source"));
  source.list(source.add({ kind: "image", layers: [1] }), "v1");
  source.list(source.add({ kind: "image", layers: [2] }), "v2");
  return { path, from: `oci:${source.path}`, target: join(path, "image") };
}

test("an image appears in an absent or empty directory, with the format's version", async () => {
  const { path, from, target } = newHome();
  writeFileSync(join(path, `.denroot-${deadMark()}.dir`), "");
  await copy(`${from}:v1`, `dir:${target}`);
  assert.equal(
    readFileSync(join(target, "version"), "utf8"),
    "Directory Transport Version: 1.1\n",
  );
  assert.equal(readdirSync(target).length, 4);
  mkdirSync(join(path, "empty"));
  await copy(`${from}:v1`, `dir:${path}/empty`);
  assert.deepEqual(readdirSync(path).sort(), ["empty", "image", "source"]);
});

test("an image is replaced only when that is wanted, and other files never are", async () => {
  const { path, from, target } = newHome();
  const { digest } = await copy(`${from}:v1`, `dir:${target}`);
  const again = copy(`${from}:v2`, `dir:${target}`);
  await assert.rejects(again, isError("exists", /has an image in it already/));
  assert.equal((await copy(`dir:${target}`, `oci:${path}/look:v1`)).digest, digest);
  await copy(`${from}:v2`, `dir:${target}`, { force: true });
  assert.notEqual((await copy(`dir:${target}`, `oci:${path}/look:v2`)).digest, digest);
  const mine = join(path, "mine");
  mkdirSync(mine);
  writeFileSync(join(mine, "thesis.tex"), "");
  const over = copy(`${from}:v1`, `dir:${mine}`, { force: true });
  await assert.rejects(over, isError("exists", /is no image's directory/));
  const file = copy(`${from}:v1`, `dir:${mine}/thesis.tex`);
  await assert.rejects(file, isError("file", /is not a directory/));
  assert.deepEqual(readdirSync(path).sort(), ["image", "look", "mine", "source"]);
});

test("a copy that fails leaves no directory", async () => {
  const { path, from, target } = newHome();
  const missing = copy(`${from}:v3`, `dir:${target}`);
  await assert.rejects(missing, isError("not_found", /no tag/));
  const stopped = new AbortController();
  const events: ProgressEvent[] = [];
  events.push = () => {
    stopped.abort();
    return 0;
  };
  const copied = copy(`${from}:v1`, `dir:${target}`, { signal: stopped.signal, events });
  await assert.rejects(copied, isError("aborted", /Interrupted/));
  assert.ok(!existsSync(target));
  assert.deepEqual(readdirSync(path), ["source"]);
});
