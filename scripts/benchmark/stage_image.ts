/** A synthetic image of four plain layers, and the same layers compressed, for scripts/bench --stages. */

import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { hostArchitecture } from "../../test/helpers/image_fixture.ts";
import { runProgram } from "../../test/helpers/run_program.ts";
import { fileHeader } from "../../lib/tar/tar_writer.ts";

export interface StageImage {
  /** OCI layouts whose only image has the tag `latest`. */
  readonly layouts: Readonly<Record<Form, string>>;
  /** The top layer in each form; the uncompressed one is the first of {@link tars}. */
  readonly layer: Readonly<Record<Form, string>>;
  /** Topmost first. */
  readonly tars: readonly string[];
  /** The uncompressed bytes of all layers. */
  readonly bytes: number;
}

const forms = { plain: "tar", gzip: "tar+gzip", zstd: "tar+zstd" } as const;
export type Form = keyof typeof forms;

const layerCount = 4;
const poolBytes = 16 * 1024 * 1024;
/** How large files are, and how much of a layer files of that size make up: half of it large ones. */
const kinds = [[8_000_000, 1 / 2], [500_000, 1 / 4], [20_000, 1 / 4]] as const;

/** About `megabytes` in all forms together take twice that on the disk. */
export async function makeStageImage(work: string, megabytes: number): Promise<StageImage> {
  const pool = makePool();
  const paths: Record<Form, string[]> = { plain: [], gzip: [], zstd: [] };
  for (let layer = 0; layer < layerCount; layer++) {
    const tar = join(work, `${layer}.tar`);
    writeTar(tar, pool, layer, (megabytes * 1e6) / layerCount);
    await runProgram("pigz", ["-6", "-n", "-k", tar]);
    await runProgram("zstd", ["-3", "-q", "-k", tar]);
    paths.plain.push(tar);
    paths.gzip.push(`${tar}.gz`);
    paths.zstd.push(`${tar}.zst`);
  }
  const digests = await Promise.all(paths.plain.map(digestOfFile));
  const layouts = {} as Record<Form, string>;
  for (const form of ["plain", "gzip", "zstd"] as const) {
    layouts[form] = await writeLayout(join(work, form), paths[form], forms[form], digests);
  }
  return {
    layouts,
    layer: { plain: paths.plain[0]!, gzip: paths.gzip[0]!, zstd: paths.zstd[0]! },
    tars: paths.plain,
    bytes: paths.plain.reduce((sum, path) => sum + statSync(path).size, 0),
  };
}

/** Half text, half bytes that no compressor makes smaller; always the same. */
function makePool(): Uint8Array {
  const pool = new Uint8Array(poolBytes);
  let state = 1;
  const next = () => state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  const words = Array.from(
    { length: 4096 },
    () => Uint8Array.from({ length: 9 }, () => next() >> 24),
  );
  for (let at = 0; at < poolBytes;) {
    const isText = (at >> 12) % 2 === 0;
    const word = isText ? words[next() >>> 20]! : Uint8Array.of(next() >>> 24);
    pool.set(word.subarray(0, poolBytes - at), at);
    at += word.length;
  }
  return pool;
}

function writeTar(path: string, pool: Uint8Array, layer: number, bytes: number): void {
  const file = openSync(path, "w");
  let count = 0;
  for (const [size, share] of kinds) {
    for (let left = bytes * share; left > 0; left -= size) {
      const start = (++count * 40_009) % (poolBytes - size);
      writeSync(file, fileHeader(`layer-${layer}/${count % 100}/${count}`, size, 0o644));
      writeSync(file, pool, start, size);
      writeSync(file, new Uint8Array((512 - (size % 512)) % 512));
    }
  }
  writeSync(file, new Uint8Array(1024));
  closeSync(file);
}

/** The blobs are links to the layers. */
async function writeLayout(
  layout: string,
  topFirst: readonly string[],
  type: string,
  topFirstDigests: readonly string[],
): Promise<string> {
  const blobs = join(layout, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const descriptors = [];
  for (const path of topFirst.toReversed()) {
    const digest = await digestOfFile(path);
    await runProgram("ln", [path, join(blobs, digest)]);
    descriptors.push({
      mediaType: `application/vnd.oci.image.layer.v1.${type}`,
      digest: `sha256:${digest}`,
      size: statSync(path).size,
    });
  }
  const put = (mediaType: string, value: unknown) => {
    const text = JSON.stringify(value);
    const digest = createHash("sha256").update(text).digest("hex");
    writeFileSync(join(blobs, digest), text);
    return { mediaType, digest: `sha256:${digest}`, size: text.length };
  };
  const config = put("application/vnd.oci.image.config.v1+json", {
    architecture: hostArchitecture(),
    os: "linux",
    rootfs: {
      type: "layers",
      diff_ids: topFirstDigests.toReversed().map((one) => `sha256:${one}`),
    },
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = put(mediaType, { schemaVersion: 2, mediaType, config, layers: descriptors });
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  writeFileSync(join(layout, "index.json"), JSON.stringify(index));
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return layout;
}

async function digestOfFile(path: string): Promise<string> {
  const { stdout } = await runProgram("sha256sum", [path]);
  return stdout.slice(0, 64);
}
