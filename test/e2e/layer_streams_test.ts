/** Compressed, cut and damaged layers: they are read right, or refused with the layer's name. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { useDenroot } from "../helpers/denroot_command.ts";
import {
  compress,
  type Compression,
  digestOf,
  type LayerSpec,
  writeImage,
} from "../helpers/image_fixture.ts";
import { type LayerCase, testLayerCases } from "../helpers/layer_case.ts";
import { runProgram } from "../helpers/run_program.ts";
import { file, tarArchive } from "../helpers/tar_fixture.ts";

const members = [
  file("small", "1"),
  file("random", randomBytes(400_000)),
  file("zeros", Buffer.alloc(500_000)),
  file("last", "the end"),
];
const archive = tarArchive(members);
const other = { tar: [file("other", "2")] };
const compressions: readonly Compression[] = [
  "gzip",
  "gzip-members",
  "zstd",
  "zstd-frames",
  "none",
];

/** A layer with changed stored bytes; the manifest has their digest and size. */
function stored(compression: Compression, change: (bytes: Buffer) => Buffer): LayerSpec {
  const bytes = change(compress(archive, compression));
  return { tar: archive, compression, stored: bytes };
}

const sound: readonly LayerCase[] = [
  ...compressions.map((compression): LayerCase => ({
    title: `a layer stored as ${compression}`,
    layers: [{ tar: members, compression }, other],
    holds: { small: "1", last: "the end", other: "2" },
  })),
  ...compressions.map((compression): LayerCase => ({
    title: `a layer stored as ${compression} under a media type that says otherwise`,
    layers: [{
      tar: members,
      compression,
      mediaType: compression === "none"
        ? "application/vnd.oci.image.layer.v1.tar+gzip"
        : "application/vnd.oci.image.layer.v1.tar",
    }],
    holds: { small: "1", last: "the end" },
  })),
  {
    title: "an archive that ends without its end marker",
    layers: [{ tar: tarArchive(members, { end: "nothing" }) }],
    holds: { last: "the end" },
  },
  {
    title: "an archive that ends with one zero block",
    layers: [{ tar: tarArchive(members, { end: "one-block" }) }],
    holds: { last: "the end" },
  },
  {
    title: "an archive with many zero blocks behind its end",
    layers: [{ tar: tarArchive(members, { end: "ten-kilobytes" }) }, other],
    holds: { last: "the end", other: "2" },
  },
  {
    title: "an archive with a megabyte of zeros behind its end",
    layers: [{ tar: Buffer.concat([archive, Buffer.alloc(1 << 20)]) }],
    holds: { last: "the end" },
  },
  {
    title: "an empty archive among others",
    layers: [{ tar: tarArchive([]) }, { tar: members }, {
      tar: tarArchive([]),
      compression: "none",
    }],
    holds: { last: "the end" },
  },
];

const half = (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length / 2));
const damaged: readonly LayerCase[] = [
  ...compressions.map((compression): LayerCase => ({
    title: `a layer stored as ${compression} that was cut in half is an error, never a short image`,
    layers: [other, stored(compression, half)],
    fails: /layer 2/i,
  })),
  ...(["gzip", "zstd"] as const).map((compression): LayerCase => ({
    title: `a layer stored as ${compression} whose last bytes are missing is an error`,
    layers: [other, stored(compression, (bytes) => bytes.subarray(0, -5))],
    fails: /layer 2/i,
  })),
  ...(["gzip", "zstd"] as const).map((compression): LayerCase => ({
    title: `a layer stored as ${compression} with a turned bit is an error`,
    layers: [other, stored(compression, turnBit)],
    fails: /layer 2/i,
  })),
  {
    title: "an archive that is cut in a file's body is an error",
    layers: [{ tar: archive.subarray(0, 100_000) }],
    fails: /layer 1/i,
  },
  {
    title: "an archive that is cut in a header is an error",
    layers: [{ tar: archive.subarray(0, 1024 + 100) }],
    fails: /layer 1/i,
  },
  {
    title: "an archive that is cut between a header and its body is an error",
    layers: [{ tar: archive.subarray(0, 1024 + 512) }],
    fails: /layer 1/i,
  },
  {
    title: "a header with a wrong checksum is an error",
    layers: [[file("a", "1"), file("b", "2", { checksum: "bad" })]],
    fails: /layer 1/i,
  },
  {
    title: "bytes that are no archive are an error",
    layers: [other, { tar: Buffer.from("no archive at all ".repeat(100)) }],
    fails: /layer 2/i,
  },
  {
    title: "a blob that is not what its digest says is an error that names the layer",
    layers: [other, { tar: members, digest: digestOf(Buffer.from("another blob")) }],
    fails: /layer 2[\s\S]*(digest|sha256)/i,
  },
  {
    title: "a blob that is shorter than its size says is an error that names the layer",
    layers: [other, { tar: members, size: archive.length * 2 }],
    fails: /layer 2/i,
  },
  {
    title: "a blob that is longer than its size says is an error that names the layer",
    layers: [other, { tar: members, size: 1000 }],
    fails: /layer 2/i,
  },
  {
    title: "a layer that is not what its diffID says is an error that names the layer",
    layers: [other, { tar: members, diffId: digestOf(Buffer.from("another layer")) }],
    fails: /layer 2[\s\S]*(diff|sha256)/i,
  },
];

function turnBit(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[Math.floor(copy.length / 3)]! ^= 4;
  return copy;
}

const denroot = useDenroot();
testLayerCases(() => denroot, [...sound, ...damaged]);

test("a file of 9 GiB arrives with its size", async () => {
  const size = 9 * 2 ** 30;
  const sparse = { format: "1.0" as const, size, chunks: [[size - 3, "end"]] as const };
  const image = writeImage(join(denroot.home, "huge"), {
    layers: [[file("huge", "", { sparse })]],
  });
  const output = await denroot.import(`oci:${image.directory}:${image.tag}`);
  const listing = (await runProgram("unsquashfs", ["-lln", output])).stdout;
  assert.match(listing, new RegExp(`0/0 +${size} .*/huge$`, "m"));
});
