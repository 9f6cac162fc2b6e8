/** Leases: one holder at a time, and a holder that died or fell silent loses the lease. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  describeHolder,
  type Holder,
  Lease,
  leaseHolder,
  takeLease,
  waitForLease,
} from "../../../lib/system/files/lease.ts";
import { processMark } from "../../../lib/system/files/process_mark.ts";
import { SilenceWatch } from "../../../lib/system/files/silence_watch.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("lease");
const [host, , , space] = processMark().split(".") as [string, string, string, string];
const DEAD = `${host}.4194304.1.${space}.0123abcd`;
/** The clock of this process, as the leases of these tests see it. */
let nowMs = 0;
const watch = new SilenceWatch(() => nowMs);
const ELSEWHERE = "elsewhere.4711.1.0123abcd";
let files = 0;

test("the second to take a lease learns who holds it, until the first lets go", () => {
  const file = newFile();
  const first = taken(file);
  const holder = takeLease(file, watch);
  assert.ok(!(holder instanceof Lease));
  assert.deepEqual([holder.host, holder.pid], [host, process.pid]);
  assert.deepEqual(leaseHolder(file, watch), holder);
  first.release();
  first.release();
  assert.equal(leaseHolder(file, watch), undefined);
  assert.ok(!fs.existsSync(file));
  taken(file).release();
});

test("a dead process's lease is taken over", () => {
  const file = newFile(DEAD);
  assert.equal(leaseHolder(file, watch), undefined);
  taken(file).release();
});

test("a process that was given up elsewhere loses all its leases, and others keep theirs", () => {
  const knowing = new SilenceWatch(() => nowMs);
  knowing.giveUp(ELSEWHERE.replace("0123abcd", "89abcdef"));
  assert.equal(leaseHolder(newFile(ELSEWHERE), knowing), undefined);
  const other = ELSEWHERE.replace("4711", "4712");
  assert.equal(leaseHolder(newFile(other), knowing)?.mark, other);
  knowing.giveUp("");
  assert.ok(leaseHolder(newFile(""), knowing), "nobody knows whose it is");
});

const times: readonly [title: string, aheadMs: number][] = [
  ["an hour in the past", -3600_000],
  ["a year in the past", -365 * 24 * 3600_000],
  ["now", 0],
  ["an hour in the future", 3600_000],
  ["twenty years in the future", 20 * 365 * 24 * 3600_000],
];
for (const [title, aheadMs] of times) {
  test(`a silent lease of another host is taken over after a minute, its time ${title}`, () => {
    const file = newFile(ELSEWHERE);
    setTime(file, aheadMs);
    assert.ok(!(takeLease(file, watch) instanceof Lease));
    passTime(50_000, () => assert.equal(leaseHolder(file, watch)?.host, "elsewhere"));
    passTime(20_000, () => leaseHolder(file, watch));
    taken(file).release();
  });

  test(`a lease that another host renews holds, its time ${title}`, () => {
    const file = newFile(`${ELSEWHERE}\n`);
    passTime(300_000, () => {
      // With each step one of the ways in which versions of denroot renew.
      if (nowMs % 40_000 === 0) setTime(file, aheadMs + nowMs);
      else if (nowMs % 20_000 === 0) fs.appendFileSync(file, ".");
      assert.equal(leaseHolder(file, watch)?.host, "elsewhere");
    });
  });
}

test("time in which this process was stopped does not count", () => {
  const file = newFile(ELSEWHERE);
  assert.ok(!(takeLease(file, watch) instanceof Lease));
  nowMs += 3600_000;
  assert.equal(leaseHolder(file, watch)?.host, "elsewhere");
});

test("a lease is renewed by bytes that are added to it", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const file = newFile();
  const lease = taken(file);
  const { size } = fs.statSync(file);
  context.mock.timers.tick(10_000);
  context.mock.timers.tick(10_000);
  assert.equal(fs.statSync(file).size, size + 2);
  assert.equal(leaseHolder(file, watch)?.pid, process.pid);
  lease.release();
  assert.ok(!fs.existsSync(file));
});

test("a lease that another process took over is not released by its first holder", async () => {
  const file = newFile();
  const first = taken(file);
  // With the same inode and the same time, the next file would look like this one, silent for a minute.
  await sleep(20);
  passTime(70_000, () => leaseHolder(file, watch));
  const second = taken(file);
  first.release();
  assert.equal(leaseHolder(file, watch)?.pid, process.pid);
  second.release();
  assert.ok(!fs.existsSync(file));
});

const obstacles: readonly [title: string, make: (file: string) => void][] = [
  ["directory", (file) => fs.mkdirSync(file)],
  ["symlink that leads nowhere", (file) => fs.symlinkSync("/nonexistent", file)],
  ["pipe", (file) => void execFileSync("mkfifo", [file])],
];
for (const [title, make] of obstacles) {
  test(`a ${title} in a lease's place costs a minute, and blocks nobody`, () => {
    const file = newFile();
    make(file);
    assert.ok(!(takeLease(file, watch) instanceof Lease));
    passTime(70_000, () => leaseHolder(file, watch));
    taken(file).release();
  });
}

test("a lease in a directory that is not there cannot be taken", () => {
  assert.throws(() => takeLease(join(scratch, "none", "lease"), watch), { code: "ENOENT" });
});

const descriptions: readonly [mark: string, text: string][] = [
  [ELSEWHERE, "process 4711 on host elsewhere"],
  ["", "another process"],
  ["something else", "another process"],
];
for (const [mark, text] of descriptions) {
  test(`the holder with the mark "${mark}" is called ${text}`, () => {
    assert.equal(describeHolder(leaseHolder(newFile(mark), watch)!), text);
  });
}

test("a lease that is waited for is taken when its holder lets go", async () => {
  const file = newFile();
  const first = taken(file);
  const held: Holder[] = [];
  const signal = new AbortController().signal;
  const waiting = waitForLease(file, { signal, onHeld: (holder) => void held.push(holder) });
  await sleep(250);
  first.release();
  (await waiting).release();
  assert.deepEqual(held.map(({ pid }) => pid), [process.pid]);
});

test("waiting for a lease ends with the caller's signal", async () => {
  const file = newFile(ELSEWHERE);
  const controller = new AbortController();
  const waiting = waitForLease(file, { signal: controller.signal });
  controller.abort();
  await assert.rejects(waiting, { code: "aborted" });
  await assert.rejects(waitForLease(file, { signal: AbortSignal.abort() }), { code: "aborted" });
});

function taken(file: string): Lease {
  const lease = takeLease(file, watch);
  assert.ok(lease instanceof Lease);
  return lease;
}

/** A path; with a file there if `mark` is given. */
function newFile(mark?: string): string {
  const file = join(scratch, `lease-${files++}`);
  if (mark !== undefined) fs.writeFileSync(file, mark);
  return file;
}

function setTime(file: string, aheadMs: number): void {
  const then = new Date(Date.now() + aheadMs);
  fs.utimesSync(file, then, then);
}

/** Looks every ten seconds. */
function passTime(durationMs: number, look: () => void): void {
  for (const endMs = nowMs + durationMs; nowMs < endMs;) {
    nowMs += 10_000;
    look();
  }
}
