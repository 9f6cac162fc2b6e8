/** The blob cache: whole or not there, shared by many processes. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fs from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { BlobCache } from "../../lib/store/blob_cache.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { Lease } from "../../lib/system/files/lease.ts";
import { processMark } from "../../lib/system/files/process_mark.ts";
import type { Descriptor } from "../../lib/types/image.ts";
import { deadMark } from "../helpers/dead_mark.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("cache");
const content = Buffer.from("a blob's bytes");
const descriptor: Descriptor = {
  mediaType: "application/vnd.oci.image.layer.v1.tar",
  digest: digestOf(content),
  size: content.length,
};
const hex = descriptor.digest.slice("sha256:".length);
let caches = 0;

test("a cache is an OCI image layout that only its user can read", () => {
  const cache = openCache();
  const layout = JSON.parse(fs.readFileSync(join(cache.root, "oci-layout"), "utf8"));
  const index = JSON.parse(fs.readFileSync(join(cache.root, "index.json"), "utf8"));
  assert.equal(layout.imageLayoutVersion, "1.0.0");
  assert.deepEqual(index, { schemaVersion: 2, manifests: [] });
  for (const name of ["oci-layout", "index.json", "ingest"]) {
    assert.equal(fs.statSync(join(cache.root, name)).mode & 0o077, 0, name);
  }
});

test("opening a cache once more changes nothing in it", async () => {
  const cache = openCache();
  await fill(cache);
  fs.writeFileSync(join(cache.root, "index.json"), "changed by another tool");
  new BlobCache(cache.root).open();
  assert.equal(fs.readFileSync(join(cache.root, "index.json"), "utf8"), "changed by another tool");
  assert.ok(cache.find(descriptor) !== undefined);
});

test("a blob is found once it is committed, under the name that the layout gives it", async () => {
  const cache = openCache();
  assert.equal(cache.find(descriptor), undefined);
  const ingest = cache.ingest(descriptor);
  ingest.write(content.subarray(5), 5);
  ingest.write(content.subarray(0, 5), 0);
  assert.equal(cache.find(descriptor), undefined);
  assert.ok(fs.existsSync(ingest.paths[0]));
  await ingest.commit();
  const file = cache.find(descriptor);
  assert.equal(file, join(cache.root, "blobs", "sha256", hex));
  assert.equal(file, ingest.paths[1]);
  assert.deepEqual(fs.readFileSync(file!), content);
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")), []);
});

test("a file of another size does not count as the blob", async () => {
  const cache = openCache();
  const file = await fill(cache);
  fs.appendFileSync(file, "!");
  assert.equal(cache.find(descriptor), undefined);
  assert.equal(cache.find({ ...descriptor, size: content.length + 1 }), file);
});

test("a blob that is removed is gone, and may be removed twice", async () => {
  const cache = openCache();
  await fill(cache);
  cache.remove(descriptor.digest);
  cache.remove(descriptor.digest);
  assert.equal(cache.find(descriptor), undefined);
});

test("an ingest that is closed leaves nothing, and nothing brings it back", async () => {
  const cache = openCache();
  const ingest = cache.ingest(descriptor);
  ingest.write(content, 0);
  ingest.close();
  ingest.close();
  assert.throws(() => ingest.write(content, 0));
  await assert.rejects(ingest.commit());
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")), []);
  assert.equal(cache.find(descriptor), undefined);
});

test("an ingest that was never written to can be closed", () => {
  const cache = openCache();
  cache.ingest(descriptor).close();
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")), []);
});

test("two ingests of one blob do not disturb each other, and both may be committed", async () => {
  const cache = openCache();
  const [one, other] = [cache.ingest(descriptor), cache.ingest(descriptor)];
  one.write(content, 0);
  other.write(content, 0);
  assert.notEqual(one.paths[0], other.paths[0]);
  await one.commit();
  await other.commit();
  assert.deepEqual(fs.readFileSync(cache.find(descriptor)!), content);
});

test("opening removes what killed processes left, not what others still write", () => {
  const cache = openCache();
  const ingest = join(cache.root, "ingest");
  const own = processMark();
  const [, , start, space] = own.split(".") as [string, string, string, string];
  const dead = `spool0@${deadMark()}`;
  const reused = `spool0@${own.replace(`.${start}.`, ".1.")}`;
  const elsewhere = `elsewhere.4194304.${start}.${space}.0123abcd`;
  const kept = [`${hex}@${own}`, `spool0@${own}`, `spool0@${elsewhere}`, "something-else"];
  for (const name of [dead, reused, ...kept]) fs.writeFileSync(join(ingest, name), "half");
  cache.open();
  assert.deepEqual(fs.readdirSync(ingest).sort(), [...kept].sort());
});

test("one process at a time has the lease of a blob, and each blob has its own", () => {
  const cache = openCache();
  const first = leaseOf(cache);
  assert.equal(cache.holder(descriptor.digest)?.pid, process.pid);
  assert.ok(!(cache.lease(descriptor.digest) instanceof Lease));
  assert.ok(!(new BlobCache(cache.root).lease(descriptor.digest) instanceof Lease));
  const another = cache.lease(digestOf(Buffer.from("another")));
  assert.ok(another instanceof Lease);
  another.release();
  first.release();
  assert.equal(cache.holder(descriptor.digest), undefined);
  leaseOf(cache).release();
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")), []);
});

test("opening a cache removes a dead process's lease, and leaves a living one's", () => {
  const cache = openCache();
  const dead = digestOf(Buffer.from("another"));
  const file = join(cache.root, "ingest", `${dead.slice("sha256:".length)}.lock`);
  fs.writeFileSync(file, deadMark());
  const living = leaseOf(cache);
  cache.open();
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")), [`${hex}.lock`]);
  living.release();
});

test("opening a cache removes leases that are a day old, whatever is in them", () => {
  const cache = openCache();
  const seconds = Date.now() / 1000 - 25 * 3600;
  for (const [letter, text] of [["a", "elsewhere.4711.1.0123abcd\n"], ["b", ""]] as const) {
    for (const age of ["old", "new"]) {
      const file = join(cache.root, "ingest", `${letter}-${age}.lock`);
      fs.writeFileSync(file, text);
      if (age === "old") fs.utimesSync(file, seconds, seconds);
    }
  }
  cache.open();
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")).sort(), ["a-new.lock", "b-new.lock"]);
});

test("a lease in a directory that is gone is an error of the cache", () => {
  const cache = new BlobCache(join(scratch, "never-opened"));
  assert.throws(() => cache.lease(descriptor.digest), { code: "file", message: /never-opened/ });
});

test("the error for a cache that cannot be used says where it is and what to do", () => {
  const file = join(scratch, "a-file");
  fs.writeFileSync(file, "");
  assert.throws(() => new BlobCache(join(file, "cache")).open(), (error: Error) => {
    assert.equal((error as { code?: string }).code, "file");
    assert.match(error.message, /a-file/);
    assert.match(String((error as { hint?: string }).hint), /ENROOT_CACHE_PATH/);
    return true;
  });
});

function openCache(): BlobCache {
  const cache = new BlobCache(join(scratch, `cache-${caches++}`));
  cache.open();
  return cache;
}

async function fill(cache: BlobCache): Promise<string> {
  const ingest = cache.ingest(descriptor);
  ingest.write(content, 0);
  await ingest.commit();
  return ingest.paths[1];
}

function leaseOf(cache: BlobCache): Lease {
  const taken = cache.lease(descriptor.digest);
  assert.ok(taken instanceof Lease);
  return taken;
}

test("a spooled blob is found under the digest that it turns out to have", async () => {
  const cache = new BlobCache(join(scratch, `${caches++}`));
  const writer = cache.spool();
  const other = cache.spool();
  writer.write(content.subarray(0, 5));
  other.write(content);
  writer.write(content.subarray(5));
  const { digest, size } = descriptor;
  assert.deepEqual(await writer.commit(), { digest, size });
  writer.close();
  assert.deepEqual(fs.readFileSync(cache.find(descriptor)!), content);
  assert.deepEqual(await other.commit(), { digest, size });
  other.close();
  assert.deepEqual(fs.readFileSync(cache.find(descriptor)!), content);
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")), []);
});

test("a spooled blob is taken back unless the cache had it before", async () => {
  const cache = openCache();
  const [first, second] = [cache.spool(), cache.spool()];
  for (const writer of [first, second]) {
    writer.write(content);
    await writer.commit();
    writer.close();
  }
  second.takeBack();
  assert.ok(cache.find(descriptor) !== undefined);
  first.takeBack();
  assert.equal(cache.find(descriptor), undefined);
});

test("a spooled blob replaces a damaged copy", async () => {
  const cache = openCache();
  const file = await fill(cache);
  fs.writeFileSync(file, "damaged");
  const writer = cache.spool();
  writer.write(content);
  await writer.commit();
  writer.close();
  assert.deepEqual(fs.readFileSync(file), content);
});

test("a spooled blob that is given up leaves nothing", () => {
  const cache = openCache();
  const given = cache.spool();
  given.write(content);
  given.close();
  given.close();
  assert.deepEqual(fs.readdirSync(join(cache.root, "ingest")), []);
  assert.equal(cache.find(descriptor), undefined);
});

test("the next process removes what a killed one spooled", () => {
  const cache = openCache();
  const left = join(
    cache.root,
    "ingest",
    `spool0@${deadMark()}`,
  );
  fs.writeFileSync(left, content);
  cache.open();
  assert.ok(!fs.existsSync(left));
});
