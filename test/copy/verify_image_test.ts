/** What verify finds on either side, and what it does not mistake for a fault. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { cpSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { verifyImage, type VerifyOptions, type VerifyResult } from "../../lib/copy/verify_image.ts";
import { type Answer, startFakeRegistry } from "../helpers/fake_registry.ts";
import { type Blob, blobPath, writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { file } from "../helpers/tar_fixture.ts";
import { startUploadRegistry } from "../helpers/upload_registry.ts";
import { isError } from "../transport/registry/registry_fixture.ts";
import { Layout, type Shape, useCopies } from "./copy_fixture.ts";

const { copy, copySettings, newHome } = useCopies();
const IMAGE: Shape = { kind: "image", layers: [1, 2] };
const OTHER: Shape = { kind: "image", layers: [2, 3] };

function verify(from: string, to?: string, options: VerifyOptions = {}): Promise<VerifyResult> {
  return verifyImage(from, to, { settings: copySettings(), ...options });
}

/** `side kind digest` of each problem. */
function problemsOf({ problems }: VerifyResult): string[] {
  return problems.map(({ side, kind, digest }) => `${side} ${kind} ${digest}`).sort();
}

interface Twins {
  readonly home: string;
  readonly from: string;
  readonly to: string;
  readonly destination: string;
  readonly root: Blob;
  /** A blob of the image in the index, which is inside another index. */
  readonly child: Blob;
  readonly signature: Blob;
}

/** The same image, with a signature, in two layouts. */
function newTwins(): Twins {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const nested: Shape = { kind: "index", children: [IMAGE] };
  const root = source.add({ kind: "index", children: [nested, OTHER] });
  const child = source.add(IMAGE);
  const signature = source.add({ kind: "chart", layers: [4] }, child);
  source.list(root, "v1");
  source.list(signature);
  const destination = join(home, "destination");
  cpSync(source.path, destination, { recursive: true });
  const [from, to] = [`oci:${source.path}:v1`, `oci:${destination}:v1`];
  return { home, from, to, destination, root, child, signature };
}

function layerOf(image: Blob, index: number): string {
  return JSON.parse(image.bytes.toString()).layers[index].digest;
}

test("the same image is the same, with nested indexes and signatures", async () => {
  const { from, to, root } = newTwins();
  for (const deep of [false, true]) {
    const result = await verify(from, to, { deep });
    assert.deepEqual(result.problems, []);
    assert.deepEqual([result.digest, result.destinationDigest], [root.digest, root.digest]);
    assert.equal(result.documents, 5);
  }
});

test("everything that a place lacks is told at once, and not only the first", async () => {
  const { from, to, destination, child, signature } = newTwins();
  rmSync(blobPath(destination, signature.digest));
  rmSync(blobPath(destination, layerOf(child, 0)));
  writeFileSync(blobPath(destination, layerOf(child, 1)), "short");
  const found = problemsOf(await verify(from, to));
  assert.deepEqual(
    found,
    [
      `destination different ${layerOf(child, 1)}`,
      `destination missing ${layerOf(child, 0)}`,
      `destination missing ${signature.digest}`,
    ].sort(),
  );
  const alone = problemsOf(await verify(to));
  assert.equal(alone.length, 2);
  const without = problemsOf(await verify(from, to, { withoutReferrers: true }));
  assert.ok(!without.join().includes(signature.digest));
});

test("a manifest that is missing inside an index is told, with the side", async () => {
  const { from, to, destination, child } = newTwins();
  rmSync(blobPath(destination, child.digest));
  const { problems } = await verify(from, to);
  assert.deepEqual(problems.map(({ kind, digest }) => [kind, digest]), [["missing", child.digest]]);
  assert.match(problems[0]!.message, /^The destination oci:/);
  const swapped = await verify(to, from);
  assert.deepEqual(problemsOf(swapped), [`source missing ${child.digest}`]);
});

test("only --deep finds wrong bytes of the right length", async () => {
  const { from, to, destination, child } = newTwins();
  writeFileSync(blobPath(destination, layerOf(child, 1)), Buffer.alloc(2000, "wrong"));
  assert.deepEqual(problemsOf(await verify(from, to)), []);
  const { problems } = await verify(from, to, { deep: true });
  assert.match(problems[0]!.message, /^The destination oci:.*came as sha256:/);
  assert.equal(problems.length, 1);
});

test("another image is told, and so is what of the first one is not there", async () => {
  const { home, from, child, root } = newTwins();
  const other = new Layout(join(home, "other"));
  other.list(other.add(IMAGE), "v1");
  const found = problemsOf(await verify(from, `oci:${other.path}:v1`));
  assert.ok(found.includes(`destination different ${root.digest}`));
  assert.ok(!found.join().includes(`missing ${child.digest}`));
  await assert.rejects(
    verify(from, `oci:${other.path}:v2`),
    isError("not_found", /^The destination/),
  );
});

test("a copy of some platforms is compared by platform", async () => {
  const home = newHome();
  const images = ["amd64", "arm64"].map((architecture) =>
    writeImage(join(home, "source"), {
      layers: [[file("a", architecture)]],
      platform: { os: "linux", architecture },
      listed: false,
    })
  );
  const entries = images.map(({ manifest, platform }) => ({ blob: manifest, platform }));
  writeIndex(join(home, "source"), entries, { tag: "all" });
  const [from, to] = [`oci:${home}/source:all`, `oci:${home}/one:v1`];
  await copy(from, to, { platforms: ["linux/arm64"] });
  assert.equal((await verify(from, to)).problems.length, 2);
  assert.deepEqual((await verify(from, to, { platforms: ["linux/arm64"] })).problems, []);
  await copy(from, `oci:${home}/sparse:v1`, {
    platforms: ["linux/arm64", "linux/amd64"],
    sparse: true,
  });
  rmSync(blobPath(join(home, "sparse"), images[0]!.manifest.digest));
  const sparse = `oci:${home}/sparse:v1`;
  assert.equal((await verify(from, sparse)).problems.length, 1);
  assert.deepEqual((await verify(from, sparse, { platforms: ["linux/arm64"] })).problems, []);
  const other = verify(from, to, { platforms: ["linux/riscv64"] });
  await assert.rejects(other, isError("platform", /^The source oci:/));
  await using registry = await startUploadRegistry();
  const remote = `docker://${registry.host}/team/app:v1`;
  await copy(from, remote);
  registry.log.length = 0;
  await verify(remote, undefined, { platforms: ["linux/arm64", "linux/amd64"] });
  // Both platforms are chosen from one answer, so that a tag which moves cannot mix two images.
  assert.equal(registry.log.filter((line) => /^GET .*manifests\/v1\b/.test(line)).length, 1);
});

test("signatures with tags of their own are compared where there is room for tags", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const root = source.add(IMAGE);
  const [signature, other] = [4, 5].map((number) =>
    source.add({ kind: "chart", layers: [number] })
  );
  const tag = `${root.digest.replace(":", "-")}.sig`;
  source.list(root, "v1");
  source.list(signature!, tag);
  const from = `oci:${source.path}:v1`;
  for (const [held, kind] of [[undefined, "missing"], [other, "different"], [signature, "same"]]) {
    const there = new Layout(join(home, String(kind)));
    there.add(IMAGE);
    for (const number of [4, 5]) there.add({ kind: "chart", layers: [number] });
    there.list(root, "v1");
    if (held !== undefined) there.list(held as Blob, tag);
    const { problems } = await verify(from, `oci:${there.path}:v1`);
    assert.deepEqual(problems.map(({ kind }) => kind), kind === "same" ? [] : [kind]);
  }
  await copy(from, `dir:${home}/dir`);
  assert.deepEqual((await verify(from, `dir:${home}/dir`)).problems, []);
});

test("an archive without the original manifest is compared by its content", async () => {
  const home = newHome();
  const layers = [[file("a", "same")], [file("b", "too")]];
  writeImage(join(home, "source"), { layers, tag: "v1" });
  writeImage(join(home, "source"), { layers: layers.slice(0, 1), tag: "v2" });
  const to = `docker-archive:${home}/saved.tar:app:v1`;
  await copy(`oci:${home}/source:v1`, to);
  const result = await verify(`oci:${home}/source:v1`, to, { deep: true });
  assert.deepEqual(result.problems, []);
  assert.notEqual(result.digest, result.destinationDigest);
  assert.equal((await verify(`oci:${home}/source:v2`, to)).problems.length, 1);
});

test("every place that a copy can go to is verified there", async () => {
  const { home, from } = newTwins();
  await using registry = await startUploadRegistry();
  const places = [
    `oci-archive:${home}/a.tar:v1`,
    `dir:${home}/d`,
    `docker://${registry.host}/team/app:v1`,
  ];
  for (const to of places) {
    await copy(from, to);
    assert.deepEqual((await verify(from, to, { deep: true })).problems, [], to);
    assert.deepEqual((await verify(to, from)).problems, [], to);
  }
});

test("a registry is asked for its blobs with HEAD, or for one byte where it takes none", async () => {
  const home = newHome();
  const source = new Layout(join(home, "source"));
  const root = source.add(IMAGE);
  source.list(root, "v1");
  const lost = layerOf(root, 0);
  for (const head of [200, 405]) {
    await using registry = await startFakeRegistry(({ line }): Answer => {
      const [, kind, name = ""] = /\/(manifests|blobs)\/([^? ]+)$/.exec(line) ?? [];
      const digest = name === "v1" ? root.digest : name;
      if (kind === undefined || digest === lost || !digest.startsWith("sha256:")) {
        return { status: 404 };
      }
      if (line.startsWith("HEAD")) {
        return head === 200 ? { announced: source.read(digest).length } : { status: head };
      }
      const bytes = source.read(digest);
      const { mediaType = "" } = kind === "manifests" ? JSON.parse(bytes.toString()) : {};
      return { headers: { "content-type": mediaType }, body: bytes };
    });
    const to = `docker://${registry.host}/team/app:v1`;
    assert.deepEqual(problemsOf(await verify(`oci:${source.path}:v1`, to)), [
      `destination missing ${lost}`,
    ]);
  }
});

test("the cache does not stand for a place that has other bytes", async () => {
  const { home, from, child } = newTwins();
  await using registry = await startUploadRegistry();
  const to = `docker://${registry.host}/team/app:v1`;
  await copy(from, to);
  const settings = copySettings({ cachePath: join(home, "full") });
  await copy(to, `oci:${home}/cached:v1`, { settings, keepInCache: true });
  registry.blobs.set(layerOf(child, 1), Buffer.alloc(2000, "wrong"));
  const found = problemsOf(await verify(to, undefined, { settings, deep: true }));
  assert.deepEqual(found, [`source different ${layerOf(child, 1)}`]);
});

test("a mirror does not stand for the destination", async () => {
  const { home, from, child } = newTwins();
  await using mirror = await startUploadRegistry();
  await using registry = await startUploadRegistry();
  for (const { host } of [mirror, registry]) await copy(from, `docker://${host}/team/app:v1`);
  registry.blobs.delete(layerOf(child, 0));
  const conf = join(home, "registries.conf");
  const rule = (host: string) => `location = "${host}"\ninsecure = true\n`;
  writeFileSync(
    conf,
    `[[registry]]\n${rule(registry.host)}[[registry.mirror]]\n${rule(mirror.host)}`,
  );
  const { environment } = copySettings();
  const settings = copySettings({
    environment: { ...environment, CONTAINERS_REGISTRIES_CONF: conf },
  });
  const to = `docker://${registry.host}/team/app:v1`;
  const missing = `missing ${layerOf(child, 0)}`;
  assert.deepEqual(problemsOf(await verify(from, to, { settings })), [`destination ${missing}`]);
  assert.deepEqual(problemsOf(await verify(to, from, { settings })), []);
});

test("a place that cannot be asked is an error, and no list of what is missing", async () => {
  const { from } = newTwins();
  await using registry = await startFakeRegistry(() => ({ status: 403 }));
  const refused = verify(from, `docker://${registry.host}/team/app:v1`);
  await assert.rejects(refused, isError("credentials", /^The destination docker:/));
  const account = verify(from, undefined, { destination: { user: "me" } });
  await assert.rejects(account, isError("usage", /no destination/));
});

test("nothing is written", async () => {
  const { home, from, to } = newTwins();
  await verify(from, to, { deep: true });
  assert.deepEqual(readdirSync(home).sort(), ["destination", "source"]);
});
