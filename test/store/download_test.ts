/** A download releases its lease and its file at the right moment, whichever way it ends. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ArrivingBlob } from "../../lib/store/arriving_blob.ts";
import { Download } from "../../lib/store/download.ts";
import type { Lease } from "../../lib/system/files/lease.ts";

/** A download whose commit ends when the test says so. It notes what happens, in order. */
function begin() {
  const events: string[] = [];
  const commit = Promise.withResolvers<void>();
  const blob = {
    complete: true,
    commit: () => commit.promise,
    close: () => void events.push("closed"),
    split: (size: number) => void events.push(`split ${size}`),
  };
  const lease = { release: () => void events.push("released") };
  const download = new Download(blob as unknown as ArrivingBlob, lease as unknown as Lease);
  return { download, events, commit };
}

test("closing waits for a commit that is under way", async () => {
  const { download, events, commit } = begin();
  const committed = download.commit();
  const closed = download.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(events, []);
  commit.resolve();
  await Promise.all([committed, closed, download.done]);
  assert.deepEqual(events, ["released", "closed", "released"]);
});

test("a commit that fails releases the lease when the download is closed", async () => {
  const { download, events, commit } = begin();
  const committed = download.commit();
  commit.reject(new Error("The digest is wrong"));
  await assert.rejects(committed, /The digest is wrong/);
  assert.deepEqual(events, []);
  await download.close();
  assert.deepEqual(events, ["closed", "released"]);
});

test("a blob is committed once", () => {
  const { download } = begin();
  assert.ok(download.isToCommit);
  void download.commit();
  assert.ok(!download.isToCommit);
});

test("to begin anew ends the requests so far, and lets new ones be made", () => {
  const { download, events } = begin();
  const before = download.requests;
  download.restart();
  assert.ok(before.aborted && !download.requests.aborted);
  assert.deepEqual(events, ["split Infinity"]);
});
