/** Tests of reading the output of the program ostree, also when it is silent or too long. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { loadSettings } from "../../../lib/config/settings.ts";
import { BlobCache } from "../../../lib/store/blob_cache.ts";
import { digestOf } from "../../../lib/oci/digest.ts";
import { openOstree } from "../../../lib/transport/ostree/source.ts";
import { parseVariantText } from "../../../lib/transport/ostree/repository.ts";
import type { ImageSource } from "../../../lib/types/source.ts";
import { AMD64 } from "../registry/registry_fixture.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { resolveImage } from "../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("ostree");
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

/** Opens an image with a program `ostree` that does what the shell cases say. */
async function open(cases: string, signal: AbortSignal): Promise<ImageSource> {
  const directory = join(scratch, `${++count}`);
  mkdirSync(directory);
  const script = `#!/bin/sh\ncase "$1" in refs) ;; ${cases} esac\n`;
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
