/** Directories that cannot be used, and mounts that forbid what denroot needs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPaths } from "../../lib/doctor/check_paths.ts";
import { makeSettings } from "../transport/registry/registry_fixture.ts";
import { type FakeMachine, fakeMachine, ROOMY, troubles } from "./machine_fixture.ts";

const SETTINGS = makeSettings({
  cachePath: "/scratch/me/cache",
  configPath: "/home/me/.config/enroot",
  tempPath: "/tmp",
  dataPath: "/scratch/me/data",
  runtimePath: "/run/enroot",
  entries: [{ name: "ENROOT_CACHE_PATH", value: "/scratch/me/cache", origin: "environment" }],
});

const MOUNTS = [
  "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
  "30 22 0:30 / /tmp rw,nosuid,noexec - tmpfs tmpfs rw",
  "31 22 0:31 / /scratch rw,relatime - lustre 10.0.0.1@o2ib:/fs rw,flock",
];

const PLACES = ["/", "/tmp", "/scratch", "/home/me", "/run", "/work", "/scratch/me/cache"];

function check(
  changes: FakeMachine & { readonly mounts?: readonly string[] },
  directory: string | undefined = "/work",
  settings = SETTINGS,
): string[] {
  const { mounts = MOUNTS, ...machine } = changes;
  const files = Object.fromEntries(PLACES.map((path) => [path, ""]));
  return troubles(checkPaths(
    settings,
    fakeMachine({ files: { ...files, "/proc/self/mountinfo": mounts.join("\n") }, ...machine }),
    directory,
  ));
}

test("a directory that exists or can be made is fine", () => {
  assert.deepEqual(check({}), []);
  assert.deepEqual(check({}, undefined), []);
});

test("directories that this user cannot write to are warnings: an import does without a cache", () => {
  assert.deepEqual(check({ isWritable: () => false }), [
    "warning ENROOT_CACHE_PATH: /scratch/me/cache: this user cannot write to it",
    "warning Current directory: /work: this user cannot write to it",
    "warning ENROOT_TEMP_PATH: /tmp: this user cannot write to it",
    "warning ENROOT_DATA_PATH: /scratch/me/data: it does not exist, and this user cannot write " +
    "to /scratch",
    "note ENROOT_RUNTIME_PATH: /run/enroot: it does not exist, and this user cannot write to /run",
  ]);
});

test("a directory in the cache that only another user can write to is named", () => {
  const files = { "/scratch/me/cache": "", "/scratch/me/cache/ingest": "", "/work": "" };
  const isWritable = (path: string) => path !== "/scratch/me/cache/ingest";
  const found = checkPaths(SETTINGS, fakeMachine({ files, isWritable }), "/work");
  assert.deepEqual(troubles(found), [
    "warning ENROOT_CACHE_PATH: /scratch/me/cache: this user cannot write to ingest in it",
  ]);
  assert.equal(
    found[0]!.remedy,
    "Ask its owner to give /scratch/me/cache/ingest the mode of /scratch/me/cache. Or set " +
      "ENROOT_CACHE_PATH to another directory",
  );
});

test("a read-only mount is named", () => {
  const mounts = [...MOUNTS.slice(0, 2), MOUNTS[2]!.replace("rw,flock", "ro,flock")];
  const [first] = check({ mounts, isWritable: (path) => !path.startsWith("/scratch") });
  assert.equal(
    first,
    "warning ENROOT_CACHE_PATH: /scratch/me/cache: /scratch is mounted read-only",
  );
});

test("a noexec mount is a warning for containers", () => {
  const mounts = [...MOUNTS.slice(0, 2), MOUNTS[2]!.replace("rw,relatime", "rw,noexec")];
  assert.deepEqual(check({ mounts }), [
    "warning ENROOT_DATA_PATH: /scratch/me/data: /scratch is mounted noexec, so no " +
    "program can be started from it",
  ]);
});

test("a lack of space or of free files is a warning where images go", () => {
  const space = () => ({ ...ROOMY, freeBytes: 400_000_000, freeFiles: 12 });
  assert.deepEqual(check({ space }).slice(0, 2), [
    "warning ENROOT_CACHE_PATH: /scratch/me/cache: only 400 MB are free",
    "warning ENROOT_CACHE_PATH: /scratch/me/cache: there is room for only 12 more files",
  ]);
  assert.deepEqual(check({ space: () => ({ ...ROOMY, files: 0, freeFiles: 0 }) }), []);
});

test("a network file system is a note", () => {
  const space = (path: string) =>
    path.startsWith("/scratch") ? { ...ROOMY, type: 0x0bd00bd0 } : ROOMY;
  assert.deepEqual(check({ space }), [
    "note ENROOT_CACHE_PATH: /scratch/me/cache: 1000 GB free, Lustre, a network file system",
    "note ENROOT_DATA_PATH: /scratch/me/data: 1000 GB free, Lustre, a network file system",
  ]);
});

test("a file system that does not answer is reported", () => {
  const space = () => {
    throw new Error("ESTALE: stale file handle");
  };
  assert.equal(
    check({ space })[0],
    "warning ENROOT_CACHE_PATH: /scratch/me/cache: it cannot be used: ESTALE: stale file handle",
  );
});
