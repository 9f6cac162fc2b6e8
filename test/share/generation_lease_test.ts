/** Leases by generation: one holder each, and nobody takes away another's file. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  describeNode,
  type GenerationLease,
  LeaseWatch,
  newestLease,
  readLease,
  takeGeneration,
} from "../../lib/share/generation_lease.ts";
import { processMark } from "../../lib/system/files/process_mark.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("generation-lease");
const [host, , , space] = processMark().split(".") as [string, string, string, string];
const DEAD = `${host}.4194304.1.${space}.0123abcd`;
const ELSEWHERE = "n17.4711.1.0123abcd";
const LEASE_MS = 60_000;
let nowMs = 0;

const listings: readonly [
  names: readonly string[],
  generation: number,
  state: string,
  failures: number,
][] = [
  [[], 0, "free", 0],
  [["resolved", "ready", ".n1.lease.7"], 0, "free", 0],
  [["lease.1"], 1, "held", 0],
  [["lease.9", "lease.10"], 10, "held", 0],
  [["failed.1", "failed.2", "lease.3"], 3, "held", 2],
  [["lease.1", "over.2"], 2, "over", 0],
  [["done.1"], 1, "done", 0],
];
for (const [names, generation, state, failures] of listings) {
  test(`the newest lease among ${names.join(" ") || "no files"} is ${state}`, () => {
    assert.deepEqual(newestLease(names), { generation, state, failures });
  });
}

test("one process gets a generation, and its file says who and what", () => {
  const directory = newDirectory();
  const lease = take(directory, 1, ELSEWHERE)!;
  assert.equal(take(directory, 1, processMark()), undefined);
  assert.deepEqual(fs.readdirSync(directory), ["lease.1"]);
  const note = readLease(join(directory, "lease.1"))!;
  assert.deepEqual([note.mark, note.subject], [ELSEWHERE, "docker://image"]);
  assert.equal(describeNode(note.mark), "process 4711 on node n17");
  lease.end("failed");
  lease.end("done");
  assert.deepEqual(fs.readdirSync(directory), ["failed.1"]);
});

test("a link that was made although the answer was lost counts", () => {
  const directory = newDirectory();
  // The own file has the name that takeGeneration gives it, so the lease is a link to that file.
  fs.writeFileSync(join(directory, `.${ELSEWHERE}`), "");
  fs.linkSync(join(directory, `.${ELSEWHERE}`), join(directory, "lease.1"));
  const lease = take(directory, 1, ELSEWHERE);
  assert.ok(lease);
  lease.end("over");
});

test("a holder of another node is dead after the lease time without a change, not before", () => {
  const directory = newDirectory();
  fs.writeFileSync(join(directory, "lease.1"), `${ELSEWHERE}\n`);
  const watch = newWatch();
  assert.ok(!watch.isDead(directory, 1));
  pass(watch, directory, 55);
  assert.ok(!watch.isDead(directory, 1));
  assert.ok(pass(watch, directory, 20));
});

test("a holder that adds a byte now and then lives", () => {
  const directory = newDirectory();
  fs.writeFileSync(join(directory, "lease.1"), `${ELSEWHERE}\n`);
  const watch = newWatch();
  for (let beat = 0; beat < 10; beat++) {
    assert.ok(!pass(watch, directory, 40));
    fs.appendFileSync(join(directory, "lease.1"), ".");
    // Its time may be anything: nobody looks at it.
    fs.utimesSync(join(directory, "lease.1"), 0, beat * 1e9);
  }
});

test("who was found dead by one lease is dead in all others at the first look", () => {
  const [step, work] = [newDirectory(), newDirectory()];
  for (const directory of [step, work]) {
    fs.writeFileSync(join(directory, "lease.1"), `${ELSEWHERE}\n`);
  }
  const watch = newWatch();
  assert.ok(pass(watch, step, 80));
  assert.ok(watch.isDead(work, 1));
});

test("a process that died on this machine is dead at the first look", () => {
  const directory = newDirectory();
  fs.writeFileSync(join(directory, "lease.1"), `${DEAD}\n`);
  assert.ok(newWatch().isDead(directory, 1));
});

test("a holder that was only asleep loses nothing but its lease when another one took over", () => {
  const directory = newDirectory();
  const [asleep, awake] = [take(directory, 1, ELSEWHERE)!, take(directory, 2, DEAD)!];
  asleep.end("done");
  assert.deepEqual(fs.readdirSync(directory), ["done.1", "lease.2"]);
  awake.end("done");
});

function newDirectory(): string {
  return fs.mkdtempSync(join(scratch, "leases-"));
}

function newWatch(): LeaseWatch {
  return new LeaseWatch(LEASE_MS, () => nowMs);
}

function take(directory: string, generation: number, mark: string): GenerationLease | undefined {
  return takeGeneration(directory, generation, {
    mark,
    subject: "docker://image",
    leaseMs: LEASE_MS,
  });
}

/** Looks every second, as a waiting node does; whether it ever found the holder dead. */
function pass(watch: LeaseWatch, directory: string, seconds: number): boolean {
  return Array.from({ length: seconds }, () => {
    nowMs += 1000;
    return watch.isDead(directory, 1);
  }).includes(true);
}
