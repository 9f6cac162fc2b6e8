/** Packing with its threads and mksquashfs: what is refused, warned of and left behind. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { PackJob } from "../../lib/pack/pack_job.ts";
import { planReading } from "../../lib/image/read_plan.ts";
import { packLayers } from "../../lib/pack/pack_layers.ts";
import { WIDE_ENTRIES } from "../../lib/pack/wide_directories.ts";
import type { ReadableBlob } from "../../lib/store/blob_fetcher.ts";
import { UnusableBlob } from "../../lib/store/unusable_blob.ts";
import type { Descriptor, ImageConfig } from "../../lib/types/image.ts";
import { digestOf } from "../helpers/image_fixture.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { directory, file, opaque, tarArchive, type TarSpec } from "../helpers/tar_fixture.ts";
import { mksquashfs, packOptions, script } from "../squashfs/packing.ts";

const scratch = scratchDirectory("pack-layers");
const zeros = file("zeros", Buffer.alloc(8 * 2 ** 20));
let count = 0;

interface Packed {
  readonly messages: readonly string[];
  /** The files in the directory of the image. */
  readonly files: readonly string[];
  readonly outcome: PromiseSettledResult<number>;
  readonly layers: readonly Descriptor[];
}

/** Packs layers that lie on this machine, base first. */
async function pack(
  layers: readonly (readonly TarSpec[])[],
  { diffIds, ...more }: Partial<PackJob> & { readonly diffIds?: readonly string[] } = {},
): Promise<Packed> {
  const work = join(scratch, `${++count}`);
  mkdirSync(work);
  const stored = layers.map((layer) => storeLayer(tarArchive(layer)));
  const messages: string[] = [];
  const job: PackJob = {
    target: join(work, "image.sqsh"),
    plan: planReading(
      configOf(diffIds ?? stored.map(({ diffId }) => diffId)),
      stored.map(({ readable }) => readable.descriptor),
    ),
    ownFiles: [],
    nameOf: (one) => `Layer ${stored.findIndex(({ readable }) => readable.descriptor === one)}`,
    fetcher: {
      readable: (one) =>
        Promise.resolve(stored.find(({ readable }) => readable.descriptor === one)!.readable),
      verified: () => Promise.resolve(),
      finished: () => Promise.resolve(),
      failure: new Promise(() => {}),
    },
    squash: packOptions(mksquashfs),
    allTime: undefined,
    defaultTime: 0,
    maxBytes: Infinity,
    verifyWith: undefined,
    signal: new AbortController().signal,
    onProgress: (event) => event.type === "log" && messages.push(`${event.level} ${event.message}`),
    ...more,
  };
  const [outcome] = await Promise.allSettled([packLayers(job)]);
  return {
    messages,
    files: readdirSync(work),
    outcome: outcome!,
    layers: job.plan.layers.map(({ descriptor }) => descriptor),
  };
}

function storeLayer(tar: Buffer): { readonly readable: ReadableBlob; readonly diffId: string } {
  const bytes = gzipSync(tar, { level: 1 });
  const digest = digestOf(bytes);
  const path = join(scratch, digest);
  writeFileSync(path, bytes);
  const descriptor = { mediaType: "tar+gzip", digest, size: bytes.length };
  const place = { type: "file", path, offset: 0, checkedBy: "digest" } as const;
  return {
    readable: { descriptor, place, origin: "local", othersMayWrite: false },
    diffId: digestOf(tar),
  };
}

function configOf(diffIds: readonly string[]): ImageConfig {
  return { diffIds, env: [], entrypoint: [], cmd: [], workingDir: "", volumes: [], labels: {} };
}

/** Gives the reason of a packing that failed and left nothing. */
function failureOf({ outcome, files }: Packed): Error & { readonly code?: string } {
  assert.equal(outcome.status, "rejected");
  assert.deepEqual(files, []);
  return outcome.reason;
}

test("layers become an image of the size that is given", async () => {
  const { outcome, files, messages } = await pack([[file("a", "1")], [file("b", "2")]]);
  assert.deepEqual([outcome.status, files, messages], ["fulfilled", ["image.sqsh"], []]);
  assert.ok(outcome.status === "fulfilled" && outcome.value > 0);
});

test("a layer counts against the limit even if all that it has is hidden", async () => {
  const layers = [[directory("d"), { ...zeros, path: "d/zeros" }], [opaque("d")]];
  const error = failureOf(await pack(layers, { maxBytes: 2 ** 20 }));
  assert.equal(error.code, "limit");
  assert.equal(error.message, "The image unpacks to more than 1048576 bytes");
});

test("a layer that has to be read again counts once", async () => {
  const again = [[zeros, { path: "zeros-link", flag: "1", linkPath: "zeros" }], [file("zeros")]];
  const { outcome } = await pack(again, { maxBytes: 12 * 2 ** 20 });
  assert.equal(outcome.status, "fulfilled");
});

test("a warning names the times that an old mksquashfs cannot keep", async () => {
  const time = 1_600_000_000;
  for (
    const [mtime, setsRootTime, warns] of [
      [time + 1, false, true],
      [time, false, false],
      [time + 1, true, false],
    ] as const
  ) {
    const options = packOptions(mksquashfs, { time });
    const squash = { ...options, mksquashfs: { ...options.mksquashfs, setsRootTime } };
    // The host's mksquashfs may be too old for the option that sets the root's time.
    const squashOptions = "-all-time 0 -comp gzip";
    const { messages } = await pack([[file("a", "1", { mtime })]], {
      squash: { ...squash, squashOptions },
    });
    const warning = "warn mksquashfs 4.5.1 cannot keep the times of files after " +
      "2020-09-13T12:26:40.000Z and sets them to that; mksquashfs 4.6 and later keep them";
    assert.deepEqual(messages, warns ? [warning] : []);
  }
});

test("a warning names a directory that is too wide for an unchanged mksquashfs", async () => {
  const quick = script(join(scratch, "quick"), 'cat > /dev/null; : > "$2"');
  const wide = [...Array(WIDE_ENTRIES).keys()].map((at) => file(`d/${at}`));
  for (const takesWideDirectories of [false, true]) {
    const options = packOptions(quick);
    const squash = { ...options, mksquashfs: { ...options.mksquashfs, takesWideDirectories } };
    const { messages } = await pack([wide], { squash });
    const warned = messages.some((message) =>
      message.startsWith("warn The directory '/d' has 25000")
    );
    assert.equal(warned, !takesWideDirectories, messages.join());
  }
});

test("other permissions of the root start the packing again, with a message", async () => {
  const { outcome, messages } = await pack([[directory("./", { mode: 0o711 }), file("a", "1")]]);
  assert.equal(outcome.status, "fulfilled");
  assert.deepEqual(messages, [
    "info Packing starts again: The image's root directory has the mode 711",
  ]);
});

test("a layer that is not what its diffID says is named and blamed", async () => {
  const layers = [[file("a", "1")], [file("b", "2")]];
  const diffIds = [digestOf(tarArchive(layers[0]!)), digestOf(Buffer.from("other"))];
  const packed = await pack(layers, { diffIds });
  const error = failureOf(packed);
  assert.ok(error instanceof UnusableBlob);
  assert.match(error.message, /^Layer 1: Its content is sha256:\w+ instead of sha256:\w+$/);
  assert.equal(error.readable.descriptor, packed.layers[1]);
  assert.equal((error.cause as { code?: string }).code, "digest");
});

test("a layer that is no tar archive is named and blamed", async () => {
  const packed = await pack([[file("a", "1")], [file("b", "2", { checksum: "bad" })]]);
  const error = failureOf(packed);
  assert.ok(error instanceof UnusableBlob);
  assert.equal(error.readable.descriptor, packed.layers[1]);
  assert.equal(error.message, "Layer 1: A tar header's checksum is wrong");
});

test("no layer is blamed when one of denroot's own files cannot be written", async () => {
  const own = [{ path: "etc/rc", mode: 0o644, content: new Uint8Array() }];
  const error = failureOf(await pack([[file("etc", "a file")]], { ownFiles: own }));
  assert.ok(!(error instanceof UnusableBlob));
  assert.equal(error.code, "layer");
});

test("an abort while it packs ends it as aborted", async () => {
  const controller = new AbortController();
  const fetcher = {
    readable: () => new Promise<never>(() => {}),
    verified: () => Promise.resolve(),
    finished: () => Promise.resolve(),
    failure: new Promise<never>(() => {}),
  };
  setTimeout(() => controller.abort(), 50);
  const error = failureOf(
    await pack([[file("a", "1")]], { fetcher, signal: controller.signal }),
  );
  assert.equal(error.code, "aborted");
});
