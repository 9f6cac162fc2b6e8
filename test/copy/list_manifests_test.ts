/** What of a repository is listed, in which order, with which facts. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  listManifests,
  type ManifestDescription,
  type ManifestOptions,
} from "../../lib/copy/list_manifests.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../lib/oci/media_types.ts";
import { type Answer, startFakeRegistry } from "../helpers/fake_registry.ts";
import { blobPath, writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { file } from "../helpers/tar_fixture.ts";
import { startUploadRegistry, type UploadRegistry } from "../helpers/upload_registry.ts";
import { Layout, type Shape, useCopies } from "./copy_fixture.ts";

const { copy, copySettings, newHome } = useCopies();
const CHART: Shape = { kind: "chart", layers: [3] };

function list(
  uri: string,
  options: ManifestOptions = {},
): Promise<readonly ManifestDescription[]> {
  return listManifests(uri, { settings: copySettings(), ...options });
}

/** `DEPTH DIGEST TAGS` of each line. */
function shapeOf(manifests: readonly ManifestDescription[]): string[] {
  return manifests.map(({ depth, digest, tags }) => `${depth} ${digest} ${tags}`);
}

interface Filled {
  readonly uri: string;
  readonly index: string;
  readonly images: readonly string[];
  readonly signature: string;
  readonly layout: string;
}

/** A repository with an index of two images under two tags, one image under a third, a signature. */
async function fill(registry: UploadRegistry): Promise<Filled> {
  const layout = join(newHome(), "source");
  const source = new Layout(layout);
  const images = ["amd64", "arm64"].map((architecture) =>
    writeImage(layout, {
      layers: [[file("a", architecture)]],
      platform: { os: "linux", architecture },
      listed: false,
    })
  );
  const entries = images.map(({ manifest, platform }) => ({ blob: manifest, platform }));
  const index = writeIndex(layout, entries, { listed: false });
  const signature = source.add(CHART, images[1]!.manifest);
  source.list(index, "all");
  source.list(images[0]!.manifest, "z");
  source.list(signature);
  const uri = `docker://${registry.host}/team/app`;
  await copy(`oci:${layout}:all`, `${uri}:v1`, { furtherTags: ["v2"] });
  await copy(`oci:${layout}:z`, `${uri}:z`);
  return {
    uri,
    layout,
    index: index.digest,
    images: images.map(({ manifest }) => manifest.digest),
    signature: signature.digest,
  };
}

test("a repository is listed by its tags, and below them what they lead to", async () => {
  await using registry = await startUploadRegistry();
  const { uri, index, images, signature } = await fill(registry);
  const found = await list(uri);
  const fallback = registry.tags.get(images[1]!.replace(":", "-"));
  assert.deepEqual(shapeOf(found), [
    `0 ${index} v1,v2`,
    `1 ${images[0]} z`,
    `1 ${images[1]} `,
    `2 ${signature} `,
    `0 ${fallback} ${images[1]!.replace(":", "-")}`,
  ]);
});

test("each line has the facts that Azure's list has", async () => {
  await using registry = await startUploadRegistry();
  const { uri, signature, images } = await fill(registry);
  const [index, image, , signed] = await list(uri);
  assert.equal(index!.mediaType, OCI_INDEX);
  assert.equal(index!.architecture, undefined);
  assert.deepEqual([image!.os, image!.architecture], ["linux", "amd64"]);
  assert.equal(image!.configMediaType, OCI_CONFIG);
  assert.match(image!.createdTime!, /^2024-/);
  assert.ok(image!.imageSize > 0 && index!.imageSize > image!.imageSize);
  assert.deepEqual([signed!.digest, signed!.subject], [signature, images[1]]);
  assert.equal(signed!.artifactType, "application/x.signature");
});

test("a tag or a digest stands for one image with what belongs to it", async () => {
  await using registry = await startUploadRegistry();
  const { uri, index, images, signature } = await fill(registry);
  const byTag = shapeOf(await list(`${uri}:z`));
  assert.deepEqual(byTag, [`0 ${images[0]} z`]);
  const byDigest = shapeOf(await list(`${uri}@${index}`));
  assert.deepEqual(byDigest, [
    `0 ${index} `,
    `1 ${images[0]} `,
    `1 ${images[1]} `,
    `2 ${signature} `,
  ]);
  await copy(`${uri}:z`, `${uri}:latest`);
  assert.equal((await list(`${uri}:latest`)).length, 1);
  assert.equal((await list(`${uri}@${index}`, { withoutReferrers: true })).length, 3);
});

test("layouts and archives are listed in the same way", async () => {
  await using registry = await startUploadRegistry();
  const { uri, layout, index } = await fill(registry);
  assert.equal((await list(`oci:${layout}`)).length, 4);
  const archive = `docker-archive:${layout}.tar`;
  await copy(`oci:${layout}:z`, `${archive}:app:z`, { furtherTags: ["y"] });
  const [saved, ...others] = await list(archive);
  assert.deepEqual([saved!.tags, saved!.architecture, others], [["app:z", "app:y"], "amd64", []]);
  await copy(`${uri}:v1`, `dir:${layout}-dir`);
  assert.equal((await list(`dir:${layout}-dir`))[0]!.digest, index);
});

test("what is broken is told and left out, and the rest is listed", async () => {
  const layout = join(newHome(), "source");
  const source = new Layout(layout);
  const root = source.add({ kind: "index", children: [CHART, { kind: "image", layers: [1] }] });
  const lost = source.add(CHART);
  source.list(root, "v1");
  const gone = source.add({ kind: "chart", layers: [5] });
  source.list(gone, "v2");
  rmSync(blobPath(layout, lost.digest));
  rmSync(blobPath(layout, gone.digest));
  const log: string[] = [];
  const found = await list(`oci:${layout}`, {
    onProgress: (event) => event.type === "log" && log.push(event.message),
  });
  assert.deepEqual(found.map(({ depth }) => depth), [0, 1]);
  assert.match(log.join("\n"), /v2 is left out: .*has no blob/);
  assert.match(log.join("\n"), new RegExp(lost.digest));
});

test("no more requests are open at once than the settings allow, and tags are listed once", async () => {
  const source = new Layout(join(newHome(), "source"));
  const tags = Array.from({ length: 12 }, (_, index) => `v${index}`);
  const images = new Map(tags.map((tag, index) => {
    const image = source.add({ kind: "image", layers: [index % 5, 6, index % 7] });
    return [tag, image.digest];
  }));
  let [open, most] = [0, 0];
  await using registry = await startFakeRegistry(async ({ line }): Promise<Answer> => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setTimeout(resolve, 5));
    open--;
    if (line.includes("tags/list")) return { body: JSON.stringify({ name: "team/app", tags }) };
    const name = /\/(?:manifests|blobs)\/([^? ]+)$/.exec(line)?.[1] ?? "";
    const digest = images.get(name) ?? name;
    if (!digest.startsWith("sha256:")) return { status: 404 };
    return { headers: { "content-type": OCI_MANIFEST }, body: source.read(digest) };
  });
  const settings = copySettings({ maxConnections: 3 });
  const found = await list(`docker://${registry.host}/team/app`, { settings });
  assert.equal(found.flatMap((manifest) => manifest.tags).length, tags.length);
  assert.equal(most, 3);
  assert.equal(registry.requests.filter(({ line }) => line.includes("tags/list")).length, 1);
});
