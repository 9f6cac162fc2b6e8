/** Leftovers go, and what a living process may use stays. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { keepFresh, removeOld, removeStale } from "../../../lib/system/files/leftovers.ts";
import { processMark } from "../../../lib/system/files/process_mark.ts";
import { waitUntil } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const HOUR_MS = 3600_000;
const [host, , , space] = processMark().split(".") as [string, string, string, string];
const dead = (name: string) => `${name}@${host}.4194304.1.${space}.0123abcd`;
const elsewhere = (name: string) => `${name}@n17.4711.1.${space}.0123abcd`;
const markOf = (name: string) => name.split("@")[1];

test("leftovers are removed with all that they contain, and other files stay", () => {
  const directory = scratchDirectory("leftovers");
  fs.mkdirSync(join(directory, dead("directory"), "in"), { recursive: true });
  fs.writeFileSync(join(directory, dead("file")), "");
  const kept = ["file", `file@${processMark()}`, "file@README"];
  for (const name of kept) fs.writeFileSync(join(directory, name), "");
  setTime(join(directory, "file@README"), -1000 * HOUR_MS);
  removeStale(directory, markOf);
  assert.deepEqual(fs.readdirSync(directory).sort(), kept.sort());
  const missing = join(directory, "missing");
  assert.throws(() => removeStale(missing, markOf), { code: "file", message: /missing cannot be/ });
});

const times: readonly [title: string, aheadMs: number, stays: boolean][] = [
  ["is new", 0, true],
  ["is 23 hours old", -23 * HOUR_MS, true],
  ["is 25 hours old", -25 * HOUR_MS, false],
  ["is years old", -30_000 * HOUR_MS, false],
  ["lies in the future", HOUR_MS, true],
];
for (const [title, aheadMs, stays] of times) {
  test(`what a process elsewhere made ${stays ? "stays" : "goes"} when its time ${title}`, () => {
    const directory = scratchDirectory("leftovers");
    const [file, sub] = [elsewhere("file"), elsewhere("directory")];
    fs.writeFileSync(join(directory, file), "");
    fs.mkdirSync(join(directory, sub, "in"), { recursive: true });
    for (const name of [file, sub]) setTime(join(directory, name), aheadMs);
    removeStale(directory, markOf);
    assert.deepEqual(fs.readdirSync(directory).sort(), stays ? [sub, file] : []);
  });
}

test("a leftover from the future becomes one of now, so that it goes after a day", () => {
  const directory = scratchDirectory("leftovers");
  const file = join(directory, elsewhere("file"));
  fs.writeFileSync(file, "");
  setTime(file, 100_000 * HOUR_MS);
  removeStale(directory, markOf);
  assert.ok(Math.abs(fs.statSync(file).mtimeMs - Date.now()) < HOUR_MS);
});

test("a file of a living process stays, however old it looks", () => {
  const directory = scratchDirectory("leftovers");
  const file = join(directory, `file@${processMark()}`);
  fs.writeFileSync(file, "");
  setTime(file, -100 * HOUR_MS);
  removeStale(directory, markOf);
  assert.ok(fs.existsSync(file));
});

test("a file that is kept fresh gets the time of its file system again and again", async () => {
  const directory = scratchDirectory("leftovers");
  const file = join(directory, "file");
  fs.writeFileSync(file, "");
  const stop = keepFresh(file, 20);
  for (const aheadMs of [-100 * HOUR_MS, 100 * HOUR_MS]) {
    setTime(file, aheadMs);
    await waitUntil(
      "it is fresh",
      () => Math.abs(fs.statSync(file).mtimeMs - Date.now()) < HOUR_MS,
    );
  }
  stop();
  assert.deepEqual(fs.readdirSync(directory), ["file"]);
});

test("a probe of the file system's clock that a killed process left goes too", () => {
  const directory = scratchDirectory("leftovers");
  fs.mkdirSync(join(directory, `.denroot-${dead("").slice(1)}.now`));
  removeStale(directory, () => undefined);
  assert.deepEqual(fs.readdirSync(directory), []);
});

test("files without a mark go when they are a day old", () => {
  const directory = scratchDirectory("leftovers");
  for (const name of ["old.partial", "new.partial", "old.blob"]) {
    fs.writeFileSync(join(directory, name), "");
    if (name.startsWith("old")) setTime(join(directory, name), -25 * HOUR_MS);
  }
  removeOld(directory, (name) => name.endsWith(".partial"));
  assert.deepEqual(fs.readdirSync(directory).sort(), ["new.partial", "old.blob"]);
});

test("another user's directory stays, and the leftovers after it are removed", (context) => {
  if (process.getuid!() !== 0) return context.skip("needs root");
  const directory = scratchDirectory("leftovers");
  const stuck = dead("1");
  fs.mkdirSync(join(directory, stuck));
  fs.writeFileSync(join(directory, dead("2")), "");
  fs.chownSync(join(directory, stuck), 54321, 54321);
  removeStale(directory, markOf);
  assert.deepEqual(fs.readdirSync(directory), [stuck]);
});

function setTime(file: string, aheadMs: number): void {
  const seconds = (Date.now() + aheadMs) / 1000;
  fs.utimesSync(file, seconds, seconds);
}
