/** Leases: one holder at a time, and a holder that died or fell silent loses the lease. */

import assert from "node:assert/strict";
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
  removeStaleLease,
  takeLease,
  waitForLease,
} from "../../../lib/system/files/lease.ts";
import { processMark } from "../../../lib/system/files/process_mark.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";

const scratch = scratchDirectory("lease");
const host = processMark().split(".")[0]!;
const ELSEWHERE = "elsewhere.4711.1.0123abcd";
let files = 0;

test("the second to take a lease learns who holds it, until the first lets go", () => {
  const file = newFile();
  const first = taken(file);
  const holder = takeLease(file);
  assert.ok(!(holder instanceof Lease));
  assert.deepEqual([holder.host, holder.pid], [host, process.pid]);
  assert.deepEqual(leaseHolder(file), holder);
  first.release();
  first.release();
  assert.equal(leaseHolder(file), undefined);
  assert.ok(!fs.existsSync(file));
  taken(file).release();
});

test("a dead process's lease is taken over", () => {
  const file = newFile(`${host}.4194304.1.0123abcd`);
  assert.equal(leaseHolder(file), undefined);
  taken(file).release();
});

test("another host's lease holds while it is renewed, and is taken over when it is not", () => {
  const file = newFile(ELSEWHERE);
  assert.ok(!(takeLease(file) instanceof Lease));
  setAge(file, 55_000);
  assert.equal(leaseHolder(file)?.host, "elsewhere");
  setAge(file, 65_000);
  assert.equal(leaseHolder(file), undefined);
  taken(file).release();
});

test("a lease that another process took over is not released by its first holder", () => {
  const file = newFile();
  const first = taken(file);
  setAge(file, 65_000);
  const second = taken(file);
  first.release();
  assert.equal(leaseHolder(file)?.pid, process.pid);
  second.release();
  assert.ok(!fs.existsSync(file));
});

test("a lease is renewed while it is held and is its holder's own, and not afterwards", () => {
  const timers = replaceIntervals();
  try {
    const file = newFile();
    const lease = taken(file);
    const [timer] = timers;
    assert.ok(timer !== undefined && timer.isBackground && timer.everyMs <= 30_000);
    setAge(file, 50_000);
    timer.run();
    assert.ok(ageOf(file) < 10_000, "it was not renewed");
    fs.writeFileSync(file, ELSEWHERE);
    setAge(file, 50_000);
    timer.run();
    assert.ok(ageOf(file) > 40_000, "another holder's lease was renewed");
    lease.release();
    assert.ok(timer.isCleared);
    assert.equal(fs.readFileSync(file, "utf8"), ELSEWHERE);
  } finally {
    timers.restore();
  }
});

test("every user of a shared directory can read who holds a lease", () => {
  const before = process.umask(0o022);
  const file = newFile();
  const lease = taken(file);
  process.umask(before);
  assert.equal(fs.statSync(file).mode & 0o777, 0o644);
  lease.release();
});

test("who waits for a lease is told of each holder in turn", async () => {
  const file = newFile(ELSEWHERE);
  const stop = new AbortController();
  const hosts: (string | undefined)[] = [];
  const onHeld = ({ host }: Holder) => {
    hosts.push(host);
    if (hosts.length === 2) stop.abort();
    else fs.writeFileSync(file, "another.4711.1.0123abcd");
  };
  const waiting = waitForLease(file, { signal: stop.signal, onHeld });
  await assert.rejects(waiting, { code: "aborted" });
  assert.deepEqual(hosts, ["elsewhere", "another"]);
});

test("only the leases of living processes survive a clean-up", () => {
  const [dead, living, missing] = [newFile(`${host}.4194304.1.0123abcd`), newFile(), newFile()];
  const lease = taken(living);
  const directory = newFile();
  fs.mkdirSync(directory);
  for (const file of [dead, living, missing, directory]) removeStaleLease(file);
  assert.deepEqual([dead, living, directory].map(fs.existsSync), [false, true, true]);
  lease.release();
});

test("a lease in a directory that is not there cannot be taken", () => {
  assert.throws(() => takeLease(join(scratch, "none", "lease")), { code: "ENOENT" });
});

const descriptions: readonly [mark: string, text: string][] = [
  [ELSEWHERE, "process 4711 on host elsewhere"],
  ["", "another process"],
  ["something else", "another process"],
];
for (const [mark, text] of descriptions) {
  test(`the holder with the mark "${mark}" is called ${text}`, () => {
    assert.equal(describeHolder(leaseHolder(newFile(mark))!), text);
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
  const lease = takeLease(file);
  assert.ok(lease instanceof Lease);
  return lease;
}

/** A path; with a file there if `mark` is given. */
function newFile(mark?: string): string {
  const file = join(scratch, `lease-${files++}`);
  if (mark !== undefined) fs.writeFileSync(file, mark);
  return file;
}

interface Timer {
  readonly everyMs: number;
  readonly run: () => void;
  /** Whether the process may end while the timer is set. */
  isBackground: boolean;
  isCleared: boolean;
}

/** Timers run only when the test says so. */
function replaceIntervals(): Timer[] & { restore(): void } {
  const { setInterval, clearInterval } = globalThis;
  const timers: Timer[] = [];
  const set = (run: () => void, everyMs: number) => {
    const timer = {
      everyMs,
      run,
      isBackground: false,
      isCleared: false,
      unref: () => void (timer.isBackground = true),
    };
    timers.push(timer);
    return timer;
  };
  const clear = (timer: Timer) => void (timer.isCleared = true);
  Object.assign(globalThis, { setInterval: set, clearInterval: clear });
  return Object.assign(timers, {
    restore: () => void Object.assign(globalThis, { setInterval, clearInterval }),
  });
}

function ageOf(file: string): number {
  return Date.now() - fs.statSync(file).mtimeMs;
}

function setAge(file: string, ageMs: number): void {
  const then = new Date(Date.now() - ageMs);
  fs.utimesSync(file, then, then);
}
