/** Tests the tar stream that goes to mksquashfs, byte by byte. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { Emission } from "../../lib/pack/emission.ts";
import { tarSink } from "../../lib/pack/tar_sink.ts";
import type { NativeCalls } from "../../lib/system/native_calls.ts";
import type { TarEntry } from "../../lib/tar/entry.ts";
import { readTar } from "../tar/read_tar.ts";

function entryOf(changes: Partial<TarEntry>): TarEntry {
  return {
    ordinal: 0,
    type: "file",
    path: "",
    linkPath: "",
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    size: 0,
    sparse: false,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: undefined,
    ...changes,
  };
}

/** An emission into a socket that takes at most so many bytes at a time, or fails. */
function start(mostBytes: number, options: { maxBytes?: number; allTime?: number } = {}) {
  const output: Buffer[] = [];
  const reports: number[] = [];
  const none = () => assert.fail("nothing else is called");
  const native: NativeCalls = {
    socketPair: none,
    pipe: none,
    close: none,
    write(_descriptor, bytes) {
      output.push(Buffer.from(bytes.subarray(0, mostBytes)));
      return Math.min(mostBytes, bytes.length);
    },
  };
  const emission = new Emission(tarSink(native, -1, 0o755), {
    allTime: options.allTime,
    defaultTime: 1000,
    maxBytes: options.maxBytes ?? Infinity,
    onBytes: (bytes) => void reports.push(bytes),
  });
  return { emission, reports, archive: () => Buffer.concat(output) };
}

test("all bytes arrive, though the socket takes few at a time", () => {
  const { emission, reports, archive } = start(7);
  emission.entry(entryOf({ size: 5 }), "a", "");
  emission.content(Buffer.from("12345"));
  emission.end();
  const [file] = [...readTar(archive())];
  assert.deepEqual([file!.path, file!.content.toString()], ["a", "12345"]);
  // A header and five bytes.
  assert.deepEqual(reports, [512 + 5]);
});

test("a socket that nobody reads is an error", () => {
  const { emission } = start(-1);
  assert.throws(() => {
    emission.entry(entryOf({ size: 1 }), "a", "");
    emission.content(Buffer.alloc(1));
    emission.end();
  }, { code: "squashfs", message: "mksquashfs stopped reading" });
});

test("the latest time is that of any entry, also of one that is not the last", () => {
  const { emission } = start(1e9);
  for (const mtime of [5, 2000, 7]) emission.entry(entryOf({ mtime }), `at-${mtime}`, "");
  emission.directory("made");
  assert.equal(emission.latestTime, 2000);
});

test("one time for all counts for entries of layers and for those that denroot makes", () => {
  const { emission, archive } = start(1e9, { allTime: 42 });
  emission.entry(entryOf({ mtime: 5 }), "a", "");
  emission.directory("made");
  emission.end();
  assert.deepEqual([...readTar(archive())].map(({ mtime }) => mtime), [42, 42]);
});

test("the owner of the image can use each entry", () => {
  const { emission, archive } = start(1e9);
  emission.entry(entryOf({ type: "directory", mode: 0o000 }), "d", "");
  emission.end();
  const [entry] = [...readTar(archive())];
  assert.equal(entry!.mode, 0o700);
});

test("the sizes of all files together are limited before their first byte", () => {
  const { emission } = start(1e9, { maxBytes: 10 });
  emission.entry(entryOf({ size: 4 }), "a", "");
  emission.content(Buffer.alloc(4));
  emission.entry(entryOf({ size: 6 }), "b", "");
  emission.content(Buffer.alloc(6));
  assert.throws(() => emission.entry(entryOf({ size: 1 }), "c", ""), { code: "limit" });
});
