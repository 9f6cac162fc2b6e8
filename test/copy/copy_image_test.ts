/** What a copy takes from where, what it changes, and what it refuses. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { OCI_INDEX, OCI_MANIFEST } from "../../lib/oci/media_types.ts";
import type { ProgressEvent } from "../../lib/types/progress.ts";
import { type Answer, type FakeRegistry, startFakeRegistry } from "../helpers/fake_registry.ts";
import {
  type Blob,
  blobPath,
  type Image,
  jsonBlob,
  writeImage,
  writeIndex,
} from "../helpers/image_fixture.ts";
import { file } from "../helpers/tar_fixture.ts";
import { isError } from "../transport/registry/registry_fixture.ts";
import { descriptorOf, Layout, type Shape, useCopies } from "./copy_fixture.ts";

const { copy, copySettings, newHome } = useCopies();
const IMAGE: Shape = { kind: "image", layers: [1, 2] };

/** Writes an index with two platforms under the tag `all`. */
function writePlatforms(
  layout: string,
): { readonly images: readonly Image[]; readonly index: Blob } {
  const images = ["amd64", "arm64"].map((architecture) =>
    writeImage(layout, {
      layers: [[file("a", architecture)]],
      platform: { os: "linux", architecture },
      listed: false,
    })
  );
  const entries = images.map(({ manifest, platform }) => ({ blob: manifest, platform }));
  return { images, index: writeIndex(layout, entries, { tag: "all" }) };
}

/** The blobs of a layout, as a registry without ranges serves them; `change` may spoil one. */
function serve(
  layout: Layout,
  root: Blob,
  change: (digest: string, bytes: Buffer) => Buffer = (_, bytes) => bytes,
): Promise<FakeRegistry> {
  return startFakeRegistry(({ line }): Answer => {
    const [, kind, name = ""] = /\/(manifests|blobs)\/([^? ]+)$/.exec(line) ?? [];
    const digest = name === "v1" ? root.digest : name;
    if (kind === undefined || !digest.startsWith("sha256:")) return { status: 404 };
    const bytes = layout.read(digest);
    const { mediaType = "" } = kind === "manifests" ? JSON.parse(bytes.toString()) : {};
    return {
      headers: { "content-type": mediaType, "docker-content-digest": digest },
      body: change(digest, bytes),
    };
  });
}

/** What is told of the first layer that is compressed. */
function firstRead(events: readonly ProgressEvent[]): readonly string[] {
  const begin = events.findIndex(({ type }) => type === "reading");
  return [
    ...new Set(
      events.slice(begin, begin + 3).map((event) =>
        event.type === "blob" ? `blob ${100 * event.sent / event.size}%` : event.type
      ),
    ),
  ];
}

function blobRequests({ requests }: FakeRegistry): number {
  return requests.filter(({ line }) => line.includes("/blobs/")).length;
}

function cacheFile(cachePath: string, digest: string): string {
  return join(cachePath, "blobs", digest.replace(":", "/"));
}

test("what was kept in the cache is not fetched again", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const root = source.add(IMAGE);
  await using registry = await serve(source, root);
  const settings = copySettings({ cachePath: join(home, "cache") });
  const from = `docker://${registry.host}/team/app:v1`;
  await copy(from, `oci:${home}/unkept:v1`, { settings });
  assert.ok(!existsSync(join(home, "cache")), "a copy has opened the cache without need");
  await copy(from, `oci:${home}/one:v1`, { settings, keepInCache: true });
  const before = blobRequests(registry);
  await copy(from, `oci:${home}/two:v1`, { settings });
  assert.equal(blobRequests(registry), before);
});

test("a damaged blob of the cache is taken from the source", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const root = source.add(IMAGE);
  await using registry = await serve(source, root);
  const settings = copySettings({ cachePath: join(home, "cache") });
  const { digest, size } = JSON.parse(root.bytes.toString()).layers[0];
  const cached = cacheFile(settings.cachePath, digest);
  mkdirSync(dirname(cached), { recursive: true });
  writeFileSync(cached, Buffer.alloc(size, "damaged"));
  const log: string[] = [];
  for (const place of [`oci:${home}/copy:v1`, `oci-archive:${home}/copy.tar:v1`]) {
    writeFileSync(cached, Buffer.alloc(size, "damaged"));
    const result = await copy(`docker://${registry.host}/team/app:v1`, place, { settings, log });
    assert.equal(result.digest, root.digest);
    assert.match(log.join("\n"), /came as sha256:.*; fetching it from the source/);
  }
});

test("wrong bytes are the fault of the source, and each error names its side", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const root = source.add(IMAGE);
  const { digest } = JSON.parse(root.bytes.toString()).layers[1];
  await using registry = await serve(
    source,
    root,
    (name, bytes) => name === digest ? Buffer.alloc(bytes.length, "wrong") : bytes,
  );
  const copied = copy(`docker://${registry.host}/team/app:v1`, `oci:${home}/copy:v1`);
  await assert.rejects(copied, isError("digest", /^The source docker:.*came as/));
  assert.ok(!existsSync(join(home, "copy/index.json")));
  const absent = copy(`oci:${source.path}:none`, `oci:${home}/copy:v1`);
  await assert.rejects(absent, isError("not_found", /^The source oci:/));
  const plain = copySettings({ allowHttp: false });
  const insecure = copy(`docker://${registry.host}/app`, `oci:${home}/copy:v1`, {
    settings: plain,
  });
  await assert.rejects(insecure, { code: "network", hint: /add --src-http for plain HTTP/ });
  writeFileSync(join(home, "a-file"), "");
  const toFile = copy(`oci:${source.path}`, `oci:${home}/a-file:v1`);
  await assert.rejects(toFile, isError("file", /^The destination oci:/));
});

test("an index with a broken entry is refused, unless that entry is not copied", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const platforms = ["amd64", "arm64"].map((architecture) => ({ os: "linux", architecture }));
  const images = platforms.map((platform, index) => ({
    ...descriptorOf(source.add({ kind: "image", layers: [index + 1] })),
    platform,
  }));
  const broken = {
    mediaType: OCI_MANIFEST,
    digest: "md5:0",
    size: 3,
    platform: { os: "linux", architecture: "s390x" },
  };
  const index = jsonBlob(OCI_INDEX, {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [...images, broken],
  });
  source.put(index);
  source.list(index, "v1");
  const from = `oci:${source.path}:v1`;
  await assert.rejects(copy(from, `oci:${home}/all:v1`), (error: Error & { hint?: string }) => {
    assert.match(error.message, /entry that cannot be copied/);
    assert.match(error.hint ?? "", /--platform/);
    return true;
  });
  const chosen = { platforms: ["linux/amd64", "arm64"] };
  const sparse = await copy(from, `oci:${home}/sparse:v1`, { ...chosen, sparse: true });
  assert.equal(sparse.digest, index.digest);
  const made = await copy(from, `oci:${home}/made:v1`, chosen);
  assert.notEqual(made.digest, index.digest);
  const one = await copy(from, `oci:${home}/one:v1`, { platforms: ["linux/arm64"] });
  assert.equal(one.digest, (images[1] as { digest?: string }).digest);
});

test("a dry run says what is missing and changes nothing", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  source.list(source.add(IMAGE), "v1");
  source.list(source.add({ kind: "image", layers: [2, 3] }), "v2");
  await copy(`oci:${source.path}:v1`, `oci:${home}/there:v1`);
  const before = readFileSync(join(home, "there/index.json"), "utf8");
  const dry = { dryRun: true };
  const { blobs, bytes } = await copy(`oci:${source.path}:v2`, `oci:${home}/there:v2`, dry);
  const fates = Object.fromEntries(blobs.map(({ size, fate }) => [size, fate]));
  assert.deepEqual([fates[2000], fates[3000]], ["present", "missing"]);
  assert.ok(bytes >= 3000);
  assert.equal(readFileSync(join(home, "there/index.json"), "utf8"), before);
  await copy(`oci:${source.path}:v1`, `oci-archive:${home}/none.tar`, dry);
  await copy(`oci:${source.path}:v1`, `dir:${home}/none`, dry);
  await copy(`oci:${source.path}:v1`, `oci:${home}/none:v1`, dry);
  assert.deepEqual(readdirSync(home).sort(), ["source", "there"]);
});

test("formats are converted there and back, and what cannot be held is refused", async () => {
  const home = newHome();
  const layout = join(home, "source");
  const { index } = writePlatforms(layout);
  const from = `oci:${layout}:all`;
  await copy(from, `oci:${home}/docker:v1`, { format: "docker" });
  const back = await copy(`oci:${home}/docker:v1`, `oci:${home}/oci:v1`, { format: "oci" });
  assert.equal(back.digest, index.digest);
  const other = copy(from, `oci:${home}/other:v1`, { platforms: ["linux/s390x"] });
  await assert.rejects(other, { code: "platform", hint: /Choose another --platform/ });
  const zstd = copy(from, `oci:${home}/zstd:v1`, { format: "docker", compression: "zstd" });
  await assert.rejects(zstd, isError("unsupported", /no layers with zstd/));
  const events: ProgressEvent[] = [];
  const first = await copy(from, `oci:${home}/zstd:v1`, { compression: "zstd", events });
  assert.deepEqual(firstRead(events), ["reading", "blob 100%"]);
  const again = await copy(from, `oci:${home}/zstd:v1`, { compression: "zstd" });
  assert.deepEqual([again.digest, again.blobs], [first.digest, []]);
  assert.ok(!existsSync(cacheFile(copySettings().cachePath, first.blobs[0]!.digest)), "a leftover");
  const chart = new Layout(join(home, "chart"));
  chart.list(chart.add({ kind: "chart", layers: [1] }), "v1");
  const converted = copy(`oci:${chart.path}:v1`, `oci:${home}/chart2:v1`, { format: "docker" });
  await assert.rejects(converted, isError("unsupported", /no artifacts/));
  const saved = copy(`oci:${chart.path}:v1`, `docker-archive:${home}/chart.tar`);
  await assert.rejects(saved, isError("unsupported", /not a container image/));
  assert.ok(!existsSync(join(home, "chart.tar")));
});

test("a broken layer is refused where its content is looked at, and copied where it is not", async () => {
  const home = newHome();
  const layout = join(home, "source");
  writeImage(layout, { layers: [{ tar: [file("a", "1")], diffId: `sha256:${"1".repeat(64)}` }] });
  await copy(`oci:${layout}`, `oci:${home}/same:v1`);
  const compressed = copy(`oci:${layout}`, `oci:${home}/other:v1`, { compression: "zstd" });
  await assert.rejects(compressed, isError("digest", /instead of sha256:1111/));
});

test("two names for one blob's size are refused", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const manifest = JSON.parse(source.add(IMAGE).bytes.toString());
  manifest.layers.push({ ...manifest.layers[0], size: 7 });
  const root = jsonBlob(OCI_MANIFEST, manifest);
  source.put(root);
  source.list(root, "v1");
  const copied = copy(`oci:${source.path}:v1`, `oci:${home}/copy:v1`);
  await assert.rejects(copied, isError("manifest", /two sizes/));
});

test("a layout keeps its other images, and further tags are given in one copy", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  source.list(source.add(IMAGE), "v1");
  source.list(source.add({ kind: "image", layers: [5] }), "other");
  const to = `oci:${home}/there`;
  await copy(`oci:${source.path}:other`, `${to}:other`);
  const furtherTags = ["v1.2", "latest"];
  const { digest } = await copy(`oci:${source.path}:v1`, `${to}:v1`, { furtherTags });
  for (const tag of ["v1", ...furtherTags]) {
    const again = await copy(`${to}:${tag}`, `oci:${home}/${tag}:x`);
    assert.equal(again.digest, digest);
  }
  const taken = copy(`oci:${source.path}:v1`, `${to}:v3`, { furtherTags: ["other"] });
  await assert.rejects(taken, isError("exists", /there:other is another image/));
  await assert.rejects(copy(`${to}:v3`, `oci:${home}/no:x`), isError("not_found", /no tag "v3"/));
});

test("signatures that the destination has of its own stay", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const root = source.add(IMAGE);
  const tag = `${root.digest.replace(":", "-")}.sig`;
  source.list(root, "v1");
  source.list(source.add({ kind: "chart", layers: [1] }), tag);
  const there = new Layout(join(home, "there"));
  const own = there.add({ kind: "chart", layers: [4] });
  there.list(own, tag);
  const log: string[] = [];
  await copy(`oci:${source.path}:v1`, `oci:${there.path}:v1`, { log });
  assert.match(log.join("\n"), /\.sig.*it stays. --force replaces it/);
  assert.equal((await copy(`oci:${there.path}:${tag}`, `oci:${home}/sig:x`)).digest, own.digest);
});

test("what a list of referrers names and nobody has any more is only missed", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const root = source.add(IMAGE);
  const gone = source.add({ kind: "chart", layers: [1] }, root);
  const list = jsonBlob(OCI_INDEX, {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [descriptorOf(gone)],
  });
  source.put(list);
  source.list(root, "v1");
  source.list(list, root.digest.replace(":", "-"));
  rmSync(cacheFile(source.path, gone.digest));
  const log: string[] = [];
  await copy(`oci:${source.path}:v1`, `oci:${home}/copy:v1`, { log });
  assert.match(log.join("\n"), /What refers to the image is incomplete/);
});

test("a sparse index keeps its digest for one platform too, and others may follow", async () => {
  const home = newHome();
  const layout = join(home, "source");
  const { images, index } = writePlatforms(layout);
  const [from, to] = [`oci:${layout}:all`, `oci:${home}/sparse:v1`];
  const first = await copy(from, to, { platforms: ["linux/amd64"], sparse: true });
  assert.equal(first.digest, index.digest);
  const has = (image: Image) => existsSync(blobPath(join(home, "sparse"), image.manifest.digest));
  assert.deepEqual(images.map(has), [true, false]);
  await copy(from, to, { architecture: "arm64", sparse: true });
  assert.deepEqual(images.map(has), [true, true]);
});
