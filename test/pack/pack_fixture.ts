/** Packing of layers that lie on this machine, with its threads and a mksquashfs. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { PackJob } from "../../lib/pack/pack_job.ts";
import { planReading } from "../../lib/image/read_plan.ts";
import { packLayers } from "../../lib/pack/pack_layers.ts";
import { SLAB_SIZE } from "../../lib/layer/layer_messages.ts";
import type { PackOptions } from "../../lib/squashfs/packer.ts";
import type { ReadableBlob } from "../../lib/store/blob_fetcher.ts";
import type { Descriptor, ImageConfig } from "../../lib/types/image.ts";
import { digestOf } from "../helpers/image_fixture.ts";
import { file, tarArchive, type TarSpec } from "../helpers/tar_fixture.ts";
import { mksquashfs, packOptions } from "../squashfs/packing.ts";

export const zeros = file("zeros", Buffer.alloc(8 * 2 ** 20));
let count = 0;

interface Packed {
  readonly messages: readonly string[];
  /** The numbers of the layers that were asked for, in order. */
  readonly asked: readonly number[];
  /** How many bytes were packed, as told now and then. */
  readonly packedBytes: readonly number[];
  /** The files in the directory of the image. */
  readonly files: readonly string[];
  readonly outcome: PromiseSettledResult<number>;
  /** The image's bytes; none where there is no image. */
  readonly image: Buffer;
  readonly layers: readonly Descriptor[];
}

/** A job with other parts than usual; `fetcher` may replace some functions only. */
type Changes = Partial<Omit<PackJob, "fetcher">> & {
  readonly fetcher?: Partial<PackJob["fetcher"]>;
  readonly diffIds?: readonly string[];
  /** Called with the number of each layer that is asked for. */
  readonly onAsked?: (layer: number) => void;
  readonly squash?: PackOptions;
};

/** What packs in the directory `scratch`, which each test file has for itself. */
export function packingIn(scratch: string) {
  return {
    pack: (layers: Layers, changes?: Changes) => pack(scratch, layers, changes),
    storeLayer: (tar: Buffer) => storeLayer(scratch, tar),
    scriptedMksquashfs: (script: string) => scriptedMksquashfs(scratch, script),
  };
}

type Layers = readonly (readonly TarSpec[] | Uint8Array)[];

/** Packs layers that lie on this machine, base first. */
async function pack(
  scratch: string,
  layers: Layers,
  { diffIds, onAsked, squash = packOptions(mksquashfs), ...more }: Changes = {},
): Promise<Packed> {
  const work = join(scratch, `${++count}`);
  const target = join(work, "image.sqsh");
  mkdirSync(work);
  const stored = layers.map((layer) =>
    storeLayer(scratch, layer instanceof Uint8Array ? Buffer.from(layer) : tarArchive(layer))
  );
  const messages: string[] = [];
  const [asked, packedBytes]: [number[], number[]] = [[], []];
  const { fetcher, ...options } = more;
  const job: PackJob = {
    output: { type: "image", target, squash, verifyWith: undefined },
    processors: squash.processors,
    aheadBytes: SLAB_SIZE * squash.processors,
    plan: planReading(
      configOf(diffIds ?? stored.map(({ diffId }) => diffId)),
      stored.map(({ readable }) => readable.descriptor),
    ),
    ownFiles: [],
    nameOf: (one) => `Layer ${stored.findIndex(({ readable }) => readable.descriptor === one)}`,
    fetcher: {
      readable(one) {
        const number = stored.findIndex(({ readable }) => readable.descriptor === one);
        asked.push(number);
        onAsked?.(number);
        return Promise.resolve(stored[number]!.readable);
      },
      verified: () => Promise.resolve(),
      finished: () => Promise.resolve(),
      failure: new Promise(() => {}),
      ...fetcher,
    },
    allTime: undefined,
    defaultTime: 0,
    maxBytes: Infinity,
    signal: new AbortController().signal,
    onProgress(event) {
      if (event.type === "log") messages.push(`${event.level} ${event.message}`);
      if (event.type === "packed") packedBytes.push(event.bytes);
    },
    ...options,
  };
  const [outcome] = await Promise.allSettled([packLayers(job)]);
  return {
    messages,
    asked,
    packedBytes,
    files: readdirSync(work),
    image: existsSync(target) ? readFileSync(target) : Buffer.alloc(0),
    outcome: outcome!,
    layers: job.plan.layers.map(({ descriptor }) => descriptor),
  };
}

/** Stores a layer with gzip. */
function storeLayer(
  scratch: string,
  tar: Buffer,
): { readonly readable: ReadableBlob; readonly diffId: string } {
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
export function failureOf({ outcome, files }: Packed): Error & { readonly code?: string } {
  assert.equal(outcome.status, "rejected");
  assert.deepEqual(files, []);
  return outcome.reason;
}

/** A program in the place of mksquashfs. */
function scriptedMksquashfs(scratch: string, script: string): PackOptions {
  const path = join(scratch, `mksquashfs-${++count}`);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return packOptions(path);
}
