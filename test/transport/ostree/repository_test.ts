/** Tests of reading the output of the program ostree, also when it is silent or too long. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { loadSettings } from "../../../lib/config/settings.ts";
import { BlobCache } from "../../../lib/store/blob_cache.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { openOstree } from "../../../lib/transport/ostree/source.ts";
import { parseVariantText } from "../../../lib/transport/ostree/repository.ts";
import type { ImageSource } from "../../../lib/types/source.ts";
import { AMD64, LAYER, manifestText } from "../registry/registry_fixture.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { contentOf, resolveImage } from "../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("ostree");
const MANIFEST = manifestText();
const COMMIT = "1".repeat(64);
const platform = { os: "linux", architecture: "amd64" };
const descriptor = { mediaType: "", digest: digestOf(new Uint8Array()), size: 10 };
let count = 0;

test("a text that ostree printed is read, with quotes and escapes", () => {
  for (
    const [printed, text] of [
      ["'plain'\n", "plain"],
      [`"it's"\n`, "it's"],
      [String.raw`'{\n "a": "\\\"\'"\t}'`, '{\n "a": "\\"\'"\t}'],
      [String.raw`'\u00e9 \U0001f600 \a\b\f\v\r'`, "é 😀 \x07\b\f\v\r"],
      ["''", ""],
    ] as const
  ) {
    assert.equal(parseVariantText(printed), text);
  }
});

test("output that is not a text is refused", () => {
  for (const printed of ["uint64 5", "'a", "", "[1, 2]"]) {
    assert.throws(() => parseVariantText(printed), /ostree's metadata is not a text/);
  }
});

test("an interruption ends ostree while it prints nothing", async () => {
  for (const command of ["export", "cat"]) {
    const controller = new AbortController();
    const { signal } = controller;
    const script = `rev-parse) echo ${COMMIT} ;; ${command}) exec sleep 20 ;;`;
    await using source = await open(script, signal);
    setTimeout(() => controller.abort(), 300);
    await assert.rejects(
      command === "export"
        ? resolveImage(source, platform, signal)
        : toBuffer(source.blob!(descriptor, undefined, signal)),
      { code: "aborted" },
    );
  }
});

test("a blob that is not as long as its descriptor says is refused", async () => {
  const { signal } = new AbortController();
  for (
    const [printed, message] of [
      ["0123456789", undefined],
      ["0123456789a", /more than the expected 10 bytes/],
      ["012345678", /gave 9 of the expected 10 bytes/],
    ] as const
  ) {
    await using source = await open(`cat) printf ${printed} ;;`, signal);
    const bytes = toBuffer(source.blob!(descriptor, undefined, signal));
    if (message === undefined) assert.equal((await bytes).toString(), printed);
    else await assert.rejects(bytes, { code: "layer", message });
  }
});

test("blobs are never given in parts", async () => {
  const { signal } = new AbortController();
  await using source = await open("cat) printf 0123456789 ;;", signal);
  assert.throws(() => source.blob!(descriptor, { start: 0, end: 5 }, signal), {
    code: "range_unsupported",
  });
});

test("an index where an image's manifest should be is refused", async () => {
  const { signal } = new AbortController();
  const index = JSON.stringify({ schemaVersion: 2, manifests: [] });
  const cases = `refs) echo ociimage/app_3Alatest ;; show) echo "'${
    index.replaceAll('"', '\\"')
  }'" ;;`;
  await using source = await open(cases, signal);
  await assert.rejects(resolveImage(source, platform, signal), {
    code: "unsupported",
    message: /has an index; an image's manifest was expected$/,
  });
});

test("a layer that was stored unchanged is described as in the manifest", async () => {
  const { signal } = new AbortController();
  const cases = `refs) echo ociimage/app_3Alatest ;;
    show) case "$3" in *docker.manifest) echo "'${MANIFEST.replaceAll('"', '\\"')}'" ;;
      *) echo "error: No such metadata key" >&2; exit 1 ;; esac ;;`;
  await using source = await open(cases, signal);
  const image = await resolveImage(source, platform, signal);
  assert.deepEqual((await contentOf(source, image, signal)).layers, [LAYER]);
});

test("a root file system becomes an image of one layer, which is in the store", async () => {
  const { signal } = new AbortController();
  // The tag is left out: ostree's own commits have none.
  const cases = `rev-parse) [ "$3" = app ] && echo ${COMMIT} ;; export) printf 0123456789 ;;`;
  await using source = await open(cases, signal);
  const image = await resolveImage(source, platform, signal);
  const { config, layers } = await contentOf(source, image, signal);
  assert.deepEqual(layers.map(({ digest }) => digest), [digestOf(Buffer.from("0123456789"))]);
  for (const blob of [config, ...layers]) assert.ok(storeOf(count).find(blob) !== undefined);
});

test("an export that fails leaves nothing in the store", async () => {
  const { signal } = new AbortController();
  const cases = `rev-parse) echo ${COMMIT} ;; export) printf 0123456789; exit 1 ;;`;
  await using source = await open(cases, signal);
  await assert.rejects(resolveImage(source, platform, signal), /cannot be read/);
  assert.deepEqual(readdirSync(join(storeOf(count).root, "ingest")), []);
});

/** The store of the image that was opened as the given one. */
function storeOf(number: number): BlobCache {
  return new BlobCache(join(scratch, `${number}`, "cache"));
}

/** Opens an image with a program `ostree` that does what the shell cases say. */
async function open(cases: string, signal: AbortSignal): Promise<ImageSource> {
  const directory = join(scratch, `${++count}`);
  mkdirSync(directory);
  const script = `#!/bin/sh\ncase "$1" in ${cases} refs) ;; esac\n`;
  writeFileSync(join(directory, "ostree"), script, { mode: 0o755 });
  const settings = await loadSettings({
    HOME: directory,
    PATH: `${directory}:${process.env.PATH}`,
    ENROOT_CACHE_PATH: join(directory, "cache"),
  });
  const blobs = new BlobCache(settings.cachePath);
  const reference = { scheme: "ostree", image: "app:latest", repository: directory } as const;
  return await openOstree(reference, { settings, blobs, platform: AMD64, signal });
}

async function toBuffer(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const bytes of chunks) parts.push(Buffer.from(bytes));
  return Buffer.concat(parts);
}
