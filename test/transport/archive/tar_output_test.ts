/** A tar that is written as it comes: whole under its name, or not at all. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  type ByteSink,
  openTarOutput,
  StreamOutput,
} from "../../../lib/transport/archive/tar_output.ts";
import { deadMark } from "../../helpers/dead_mark.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { isError, NEVER } from "../registry/registry_fixture.ts";

const scratch = scratchDirectory("tar-output");
const LONG = `blobs/sha512/${"a".repeat(128)}`;
let directories = 0;

function newDirectory(): string {
  const directory = join(scratch, String(++directories));
  mkdirSync(directory);
  return directory;
}

function piece(text: string) {
  return (write: (bytes: Uint8Array) => Promise<void>) => write(Buffer.from(text));
}

/** What `tar` finds, by name. */
function contents(path: string): Record<string, string> {
  const names = execFileSync("tar", ["-tf", path], { encoding: "utf8" }).trim().split("\n");
  return Object.fromEntries(
    names.map((name) => [name, execFileSync("tar", ["-xOf", path, name], { encoding: "utf8" })]),
  );
}

test("members that are written at the same time stay apart, whatever their names' length", async () => {
  const path = join(newDirectory(), "a.tar");
  const output = await openTarOutput(path, { replace: false });
  const slow = output.add("one", 6, async (write) => {
    await write(Buffer.from("abc"));
    await output.add("two", 700, piece("x".repeat(700)), NEVER);
    await write(Buffer.from("def"));
  }, NEVER);
  await Promise.all([
    slow,
    output.add(LONG, 4, piece("long"), NEVER),
    output.add("none", 0, () => Promise.resolve(), NEVER),
  ]);
  assert.ok(!existsSync(path));
  assert.ok(await output.end());
  const expected = { one: "abcdef", two: "x".repeat(700), [LONG]: "long", none: "" };
  assert.deepEqual(contents(path), expected);
  assert.equal(statSync(path).mode & 0o777, 0o644);
});

test("a member that failed may be written again, and one that is not whole spoils the archive", async () => {
  const path = join(newDirectory(), "a.tar");
  const output = await openTarOutput(path, { replace: false });
  const failing = output.add("one", 4, async (write) => {
    await write(Buffer.from("ba"));
    throw new Error("cut");
  }, NEVER);
  await assert.rejects(failing, /cut/);
  await output.add("two", 1, piece("2"), NEVER);
  await assert.rejects(output.end(), /one is not whole/);
  await output.add("one", 4, piece("good"), NEVER);
  assert.ok(await output.end());
  assert.deepEqual(contents(path), { one: "good", two: "2" });
});

test("an archive that is not ended leaves nothing, and the next one removes what a killed one left", async () => {
  const directory = newDirectory();
  writeFileSync(join(directory, `.denroot-${deadMark()}.tmp`), "left");
  const output = await openTarOutput(join(directory, "a.tar"), { replace: false });
  await output.add("one", 3, piece("one"), NEVER);
  output.close();
  assert.deepEqual(readdirSync(directory), []);
});

test("a file that is there is replaced only when that is wanted, and a link stays one", async () => {
  const directory = newDirectory();
  const [path, link] = [join(directory, "a.tar"), join(directory, "link.tar")];
  writeFileSync(path, "old");
  symlinkSync("a.tar", link);
  await assert.rejects(
    () => openTarOutput(path, { replace: false }),
    isError("exists", /exists already/),
  );
  const output = await openTarOutput(link, { replace: true });
  await output.add("one", 3, piece("one"), NEVER);
  assert.equal(readFileSync(path, "utf8"), "old");
  await output.end();
  assert.deepEqual(contents(path), { one: "one" });
  assert.deepEqual(contents(link), { one: "one" });
  await assert.rejects(
    () => openTarOutput(directory, { replace: true }),
    isError("file", /is not a file/),
  );
  const slash = `${directory}/new/`;
  await assert.rejects(
    () => openTarOutput(slash, { replace: true }),
    isError("file", /not a file's name/),
  );
  await assert.rejects(
    () => openTarOutput("/proc/a.tar", { replace: true }),
    isError("file", /^"\/proc\/a\.tar" cannot be written: /),
  );
  const nowhere = join(directory, "no/a.tar");
  await assert.rejects(
    () => openTarOutput(nowhere, { replace: true }),
    isError("file", /no directory/),
  );
});

test("a file that came in the meantime is not replaced", async () => {
  const path = join(newDirectory(), "a.tar");
  const output = await openTarOutput(path, { replace: false });
  await output.add("one", 3, piece("one"), NEVER);
  writeFileSync(path, "another's");
  assert.equal(await output.end(), false);
  output.close();
  assert.equal(readFileSync(path, "utf8"), "another's");
});

test("down a stream one member follows the other, and nothing follows one that is cut", async () => {
  const written: Buffer[] = [];
  const sink: ByteSink = {
    write: (bytes) => Promise.resolve(void written.push(Buffer.from(bytes))),
    end: () => Promise.resolve(),
    close: () => {},
  };
  const output = new StreamOutput(() => Promise.resolve(sink));
  const first = output.add("one", 2, async (write) => {
    await write(Buffer.from("1"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await write(Buffer.from("1"));
  }, NEVER);
  await Promise.all([first, output.add("two", 1, piece("2"), NEVER)]);
  await output.end();
  const path = join(newDirectory(), "a.tar");
  writeFileSync(path, Buffer.concat(written));
  assert.deepEqual(contents(path), { one: "11", two: "2" });
  const short = new StreamOutput(() => Promise.resolve(sink));
  await assert.rejects(short.add("one", 2, piece("1"), NEVER), TypeError);
  await assert.rejects(short.add("two", 1, piece("2"), NEVER), TypeError);
});
