/** Archives that cross a gap: what is in them, parts, and what was interrupted. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import fs, {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Layout } from "../copy/copy_fixture.ts";
import { deadMark } from "../helpers/dead_mark.ts";
import { blobPath, jsonBlob } from "../helpers/image_fixture.ts";
import { isError } from "../transport/registry/registry_fixture.ts";
import {
  addImage,
  APP,
  BASE,
  fates,
  FIRST,
  inventoryOf,
  layerOf,
  layoutWith,
  membersOf,
  namesIn,
  readMember,
  SECOND,
  useSyncs,
  WEB,
} from "./sync_fixture.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const { newHome, sync } = useSyncs();

test("an archive begins with its inventory, has each blob once, and ends with its sums", async () => {
  const home = newHome();
  const { path, digests } = layoutWith(join(home, "near"), FIRST);
  const archive = join(home, "a.tar");
  const result = await sync(`oci:${path}`, `oci-archive:${archive}`);
  assert.deepEqual(fates(result), { "app:1": "copied", "web:latest": "copied" });
  const members = membersOf(archive);
  assert.equal(members[0], "denroot-inventory.json");
  assert.equal(members.at(-1), "SHA256SUMS");
  assert.equal(new Set(members).size, members.length);
  assert.equal(members.filter((name) => name === blobPath("", BASE.digest)).length, 1);
  const { images, needs, known } = inventoryOf(archive);
  assert.deepEqual(
    images.map(({ name, digest }: { name: string; digest: string }) => [name, digest]),
    Object.entries(digests).sort(),
  );
  assert.deepEqual([needs, known], [[], []]);
  const unpacked = join(home, "unpacked");
  mkdirSync(unpacked);
  execFileSync("tar", ["-xf", archive, "-C", unpacked]);
  execFileSync("sha256sum", ["--check", "--quiet", "--strict", "SHA256SUMS"], { cwd: unpacked });
  assert.equal(readMember(archive, "SHA256SUMS").trim().split("\n").length, members.length - 1);
  await sync(`oci:${unpacked}`, `oci:${home}/again`);
  assert.deepEqual(namesIn(join(home, "again")), digests);
});

test("an archive lists for docker load what it has whole for this platform", async () => {
  const home = newHome();
  const path = join(home, "near");
  const layout = new Layout(path);
  for (const [name, layers] of Object.entries(FIRST)) addImage(layout, name, layers);
  const artifact = layout.put(jsonBlob("application/vnd.oci.image.manifest.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    artifactType: "application/example",
    config: {
      mediaType: "application/vnd.oci.empty.v1+json",
      digest: BASE.digest,
      size: BASE.size,
    },
    layers: [],
  }));
  layout.list(artifact, `${APP}:chart`);
  const [first, second] = ["a", "b"].map((name) => join(home, `${name}.tar`));
  await sync(`oci:${path}`, `oci-archive:${first}`);
  const saved = JSON.parse(readMember(first!, "manifest.json"));
  assert.deepEqual(saved.map(({ RepoTags }: { RepoTags: string[] }) => RepoTags), [
    [`${WEB}:latest`],
    [`${APP}:1`],
  ]);
  assert.ok(saved[0].Layers.every((name: string) => membersOf(first!).includes(name)));
  const later = layoutWith(join(home, "later"), SECOND);
  await sync(`oci:${later.path}`, `oci-archive:${second}`, { since: [first!] });
  assert.ok(!membersOf(second!).includes("manifest.json"), "layers are on the other side only");
});

test("a sync takes the platforms that are asked for, from an index that may keep the others", async () => {
  const home = newHome();
  const layout = new Layout(join(home, "near"));
  const images = ["amd64", "arm64"].map((architecture, number) => {
    const { digest, mediaType, size } = layout.add({ kind: "image", layers: [number] });
    return { digest, mediaType, size, platform: { os: "linux", architecture } };
  });
  const [, wanted] = images;
  const index = layout.put(
    jsonBlob(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: images }),
  );
  layout.list(index, `${APP}:1`);
  const take = async (name: string, sparse: boolean) => {
    const archive = join(home, name);
    const options = { platforms: ["linux/arm64"], sparse };
    const { images: [image] } = await sync(`oci:${layout.path}`, `oci-archive:${archive}`, options);
    assert.equal(image?.error, undefined);
    const taken = images.map(({ digest }) => membersOf(archive).includes(blobPath("", digest)));
    return [image?.digest, taken];
  };
  assert.deepEqual(await take("one.tar", false), [wanted!.digest, [false, true]]);
  assert.deepEqual(await take("sparse.tar", true), [index.digest, [false, true]]);
});

test("an archive that is up to date stays, and another one is not replaced unasked", async () => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), FIRST);
  const archive = join(home, "a.tar");
  await sync(`oci:${path}`, `oci-archive:${archive}`);
  const { mtimeMs } = statSync(archive);
  const again = await sync(`oci:${path}`, `oci-archive:${archive}`);
  assert.deepEqual(fates(again), { "app:1": "present", "web:latest": "present" });
  assert.equal(statSync(archive).mtimeMs, mtimeMs);
  const later = layoutWith(join(home, "later"), SECOND);
  await assert.rejects(
    sync(`oci:${later.path}`, `oci-archive:${archive}`),
    isError("exists", /exists already/),
  );
  await sync(`oci:${later.path}`, `oci-archive:${archive}`, { force: true });
  assert.equal(inventoryOf(archive).images.length, 3);
  writeFileSync(join(home, "mine"), "my own file");
  await assert.rejects(
    sync(`oci:${path}`, `oci-archive:${home}/mine`),
    isError("exists", /exists already/),
  );
});

const MIB = 2 ** 20;
const LARGE = {
  [`${APP}:1`]: [layerOf("large", 2 * MIB + 77), layerOf("larger", 3 * MIB + 5), BASE],
};

test("parts are smaller than their size, have their sums beside them, and are read as one", async () => {
  const home = newHome();
  const { path, digests } = layoutWith(join(home, "near"), LARGE);
  const archive = join(home, "a.tar");
  writeFileSync(
    join(home, "SHA256SUMS"),
    `${"0".repeat(64)}  other.iso\n${"1".repeat(64)}  a.tar.001\n`,
  );
  await sync(`oci:${path}`, `oci-archive:${archive}`, { splitBytes: MIB });
  const parts = readdirSync(home).filter((name) => /^a\.tar\.\d{3}$/.test(name)).sort();
  assert.equal(parts.length, 6);
  assert.ok(parts.every((name) => statSync(join(home, name)).size < MIB));
  assert.match(readFileSync(join(home, "SHA256SUMS"), "utf8"), /other\.iso/);
  execFileSync("sha256sum", ["--check", "--quiet", "--ignore-missing", "SHA256SUMS"], {
    cwd: home,
  });
  await sync(`oci-archive:${archive}`, `oci:${home}/far`);
  assert.deepEqual(namesIn(join(home, "far")), digests);
  execFileSync("sh", ["-c", "cat a.tar.0* > whole.tar"], { cwd: home });
  await sync(`oci-archive:${home}/whole.tar`, `oci:${home}/far-2`);
  // Fewer parts take the place of more, and one file that of parts.
  await sync(`oci:${path}`, `oci-archive:${archive}`, { splitBytes: 4 * MIB, force: true });
  assert.ok(!existsSync(`${archive}.003`));
  await sync(`oci:${path}`, `oci-archive:${archive}`, { force: true });
  assert.ok(!existsSync(`${archive}.001`));
  assert.match(readFileSync(join(home, "SHA256SUMS"), "utf8"), /^0{64} {2}other\.iso\n$/);
});

test("no part has its name before all of them are on the disk", async (t) => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), LARGE);
  const archive = join(home, "a.tar");
  const { fsync } = fs;
  const seen: boolean[] = [];
  t.after(() => fs.fsync = fsync);
  fs.fsync = ((descriptor, done) => {
    seen.push(existsSync(`${archive}.001`));
    fsync(descriptor, done);
  }) as typeof fsync;
  await sync(`oci:${path}`, `oci-archive:${archive}`, { splitBytes: MIB });
  assert.deepEqual(seen.slice(0, 6), Array.from({ length: 6 }, () => false));
});

test("one part of an archive, and a damaged one, are told with what to do", async () => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), LARGE);
  const archive = join(home, "a.tar");
  await sync(`oci:${path}`, `oci-archive:${archive}`, { splitBytes: MIB });
  const read = async (name: string) => {
    const { images: [failed] } = await sync(`oci-archive:${name}`, `oci:${home}/far`);
    return `${failed?.error?.message}; ${failed?.error?.hint}`;
  };
  const whole = /is one part of an archive; .* without a number: .+a\.tar"$/;
  assert.match(await read(`${archive}.001`), whole);
  assert.match(await read(`${archive}.003`), whole);
  truncateSync(`${archive}.002`, 1000);
  assert.match(await read(archive), /damaged.*; sha256sum --check SHA256SUMS/);
});

test("a part that is missing is named, also the first and the last one", async () => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), LARGE);
  const archive = join(home, "a.tar");
  await sync(`oci:${path}`, `oci-archive:${archive}`, { splitBytes: MIB });
  const read = () => sync(`oci-archive:${archive}`, `oci:${home}/far`);
  for (const part of ["001", "002", "006"]) {
    renameSync(`${archive}.${part}`, join(home, "away"));
    const { images: [failed] } = await read();
    assert.match(
      String(failed?.error?.message),
      new RegExp(`lacks 1 of its 6 parts: a.tar.${part}`),
    );
    renameSync(join(home, "away"), `${archive}.${part}`);
  }
});

test("what a killed process wrote of an archive is gone on with", async () => {
  for (const splitBytes of [undefined, MIB]) {
    const home = newHome();
    const { path } = layoutWith(join(home, "near"), LARGE);
    const archive = join(home, "a.tar");
    await sync(`oci:${path}`, `oci-archive:${archive}`, { splitBytes });
    const { created } = inventoryAt(home);
    await leaveAsKilled(home, splitBytes);
    // The layers that were written are not read again: what the source has now would be refused.
    for (const { digest, size } of LARGE[`${APP}:1`]!.slice(0, 2)) {
      writeFileSync(blobPath(path, digest), Buffer.alloc(size));
    }
    const log: string[] = [];
    await sync(`oci:${path}`, `oci-archive:${archive}`, { splitBytes, log });
    assert.ok(log.some((line) => line.includes(`begun at ${created}`)), log.join("\n"));
    assert.equal(inventoryAt(home).created, created);
    assert.deepEqual(readdirSync(home).filter((name) => name.startsWith(".")), []);
    await sync(`oci-archive:${archive}`, `oci:${home}/far`);
  }
});

/** The inventory of the archive in `home`, in one piece or in parts. */
function inventoryAt(home: string) {
  const file = ["a.tar", "a.tar.001"].find((name) => existsSync(join(home, name)))!;
  const bytes = readFileSync(join(home, file));
  const size = parseInt(bytes.toString("latin1", 124, 135), 8);
  return JSON.parse(bytes.toString("utf8", 512, 512 + size));
}

/** Makes of the archive what a process leaves that is killed: its file, with a hole for the last layer. */
async function leaveAsKilled(home: string, splitBytes: number | undefined): Promise<void> {
  const names = readdirSync(home).filter((name) => /^a\.tar(\.\d+)?$/.test(name)).sort();
  const { createHash } = await import("node:crypto");
  const partBytes = splitBytes === undefined ? undefined : splitBytes - 1;
  const key = createHash("sha256").update(`a.tar\0${partBytes}`).digest("hex").slice(0, 12);
  const mark = await deadMark();
  for (const [index, name] of names.entries()) {
    const left = `.denroot-${mark}.${key}.part${String(index + 1).padStart(3, "0")}`;
    const bytes = readFileSync(join(home, name));
    const hole = bytes.indexOf("base".repeat(100));
    if (hole >= 0) bytes.fill(0, hole, hole + 1000);
    writeFileSync(join(home, left), bytes, { mode: 0o644 });
    rmSync(join(home, name));
  }
  rmSync(join(home, "SHA256SUMS"), { force: true });
}

test("what a killed process left of another list is not used", async () => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), LARGE);
  const archive = join(home, "a.tar");
  await sync(`oci:${path}`, `oci-archive:${archive}`);
  await leaveAsKilled(home, undefined);
  const other = layoutWith(join(home, "other"), FIRST);
  await sync(`oci:${other.path}`, `oci-archive:${archive}`);
  assert.equal(inventoryOf(archive).images.length, 2);
  assert.deepEqual(readdirSync(home).filter((name) => name.startsWith(".")), []);
});

test("signatures come along, under the tags of older cosign too", async () => {
  const home = newHome();
  const near = new Layout(join(home, "near"));
  const image = addImage(near, `${APP}:1`, [BASE]);
  const signature = near.add({ kind: "chart", layers: [1] }, image);
  near.list(signature);
  const tag = `${image.digest.replace(":", "-")}.sig`;
  const old = addImage(near, `${APP}:${tag}`, [layerOf("signature")]);
  await sync(`oci:${near.path}`, `oci-archive:${home}/a.tar`);
  const inventory = inventoryOf(join(home, "a.tar"));
  assert.deepEqual(inventory.images.map(({ name }: { name: string }) => name), [`${APP}:1`]);
  await sync(`oci-archive:${home}/a.tar`, `oci:${home}/far`);
  assert.equal(namesIn(join(home, "far"))[`${APP}:${tag}`], old.digest);
  assert.ok(existsSync(blobPath(join(home, "far"), signature.digest)));
});

test("an image that cannot be read leaves no archive, and with keepGoing the others have one", async () => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), SECOND);
  const archive = `oci-archive:${home}/a.tar`;
  rmSync(blobPath(path, layerOf("app 2").digest));
  const stopped = await sync(`oci:${path}`, archive);
  assert.equal(fates(stopped)["app:2"], "failed");
  assert.ok(!existsSync(join(home, "a.tar")));
  const result = await sync(`oci:${path}`, archive, { keepGoing: true });
  assert.deepEqual(fates(result), { "app:1": "copied", "app:2": "failed", "web:latest": "copied" });
  await sync(archive, `oci:${home}/far`);
  assert.equal(Object.keys(namesIn(join(home, "far"))).length, 2);
});

test("wrong bytes leave no archive, and the next run goes on without what was right", async () => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), LARGE);
  const damaged = blobPath(path, BASE.digest);
  writeFileSync(damaged, Buffer.alloc(BASE.size));
  const archive = join(home, "a.tar");
  const write = (log: string[] = []) => sync(`oci:${path}`, `oci-archive:${archive}`, { log });
  await assert.rejects(write(), isError("digest", /came as/));
  assert.ok(!existsSync(archive));
  writeFileSync(damaged, BASE.bytes);
  await write();
  assert.deepEqual(
    membersOf(archive).filter((name) => name === blobPath("", BASE.digest)).length,
    1,
  );
});

test("the only image of a layout needs no name there", async () => {
  const home = newHome();
  const near = new Layout(join(home, "tools"));
  near.list(near.add({ kind: "image", layers: [1] }));
  await sync(`oci:${near.path}`, `oci:${home}/far`);
  assert.deepEqual(Object.keys(namesIn(join(home, "far"))), ["tools:latest"]);
});
