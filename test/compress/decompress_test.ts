/** Decompression: the bytes tell the format, and no damaged or truncated data passes for whole. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { constants, gzipSync, zstdCompressSync, type ZstdOptions } from "node:zlib";
import { DenrootError, type ErrorCode } from "../../lib/errors.ts";
import { decompress } from "../../lib/compress/decompress.ts";

const small = Buffer.from("a layer ".repeat(2000));
/** Noise and repetition, so that zstd makes blocks of every type. */
const large = Buffer.concat([
  randomBytes(300_000),
  Buffer.alloc(700_000, "repeated "),
  Buffer.alloc(300_000),
  randomBytes(100_000),
]);
/** More than is decoded in one call. */
const huge = Buffer.alloc(20_000_000, "a long story ");

const withoutSize = { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } };
const withChecksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const skippable = (size: number, kind = 0x0) => {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + kind);
  head.writeUInt32LE(size, 4);
  return Buffer.concat([head, randomBytes(size)]);
};

const sound: readonly [title: string, stored: Buffer, content: Buffer][] = [
  ["nothing", Buffer.alloc(0), Buffer.alloc(0)],
  ["plain bytes", small, small],
  ["one plain byte", Buffer.from("x"), Buffer.from("x")],
  ["zeros", Buffer.alloc(10_240), Buffer.alloc(10_240)],
  ["gzip", gzipSync(large), large],
  ["gzip of nothing", gzipSync(""), Buffer.alloc(0)],
  [
    "gzip of many members",
    Buffer.concat([large, small, large].map((part) => gzipSync(part))),
    join([
      large,
      small,
      large,
    ]),
  ],
  ["gzip with empty members", join([gzipSync(""), gzipSync(small), gzipSync("")]), small],
  [
    "gzip of a thousand members",
    join(Array(1000).fill(gzipSync(small.subarray(0, 50)))),
    join(
      Array(1000).fill(small.subarray(0, 50)),
    ),
  ],
  ["gzip followed by zeros", join([gzipSync(small), Buffer.alloc(1000)]), small],
  ["zstd", zstd(large), large],
  ["zstd of nothing", zstd(""), Buffer.alloc(0)],
  ["zstd with a checksum", zstd(large, withChecksum), large],
  ["zstd without its size", zstd(large, withoutSize), large],
  ["long zstd", zstd(huge), huge],
  ["long zstd without its size", zstd(huge, withoutSize), huge],
  [
    "zstd frames of all sorts",
    join([
      zstd(small),
      skippable(0),
      zstd(large, withoutSize),
      skippable(5000, 0xf),
      zstd(""),
      zstd(huge, withChecksum),
      skippable(40, 0x7),
    ]),
    join([small, large, huge]),
  ],
  [
    "zstd that begins with a skippable frame",
    join([skippable(9), zstd(small)]),
    small,
  ],
  ["zstd of skippable frames only", skippable(100), Buffer.alloc(0)],
  [
    "thousands of tiny zstd frames",
    join(Array(4000).fill(zstd("tiny"))),
    Buffer.from(
      "tiny".repeat(4000),
    ),
  ],
];

for (const [title, stored, content] of sound) {
  test(`${title} gives its content`, async () => {
    for (const size of [64 * 1024, 1009]) {
      assert.ok((await collect(stored, size)).equals(content), `in chunks of ${size}`);
    }
  });
}

test("a first chunk that is too short to tell the compression is not taken for plain data", async () => {
  for (const stored of [gzipSync(small), zstd(small)]) {
    for (const size of [1, 2, 3]) {
      assert.ok((await collect(stored, size)).equals(small), `in chunks of ${size}`);
    }
  }
});

test("an empty chunk is not the end", async () => {
  for (const stored of [gzipSync(small), zstd(small), small]) {
    const chunks = [Buffer.alloc(0), stored.subarray(0, 9), Buffer.alloc(0), stored.subarray(9)];
    assert.ok((await collectChunks(chunks)).equals(small));
  }
});

const compressions: readonly [name: string, stored: Buffer][] = [
  ["gzip", gzipSync(large)],
  ["small gzip", gzipSync(small)],
  ["zstd", zstd(large)],
  ["small zstd", zstd(small)],
  ["zstd with a checksum", zstd(small, withChecksum)],
  ["zstd without its size", zstd(large, withoutSize)],
  ["long zstd", zstd(Buffer.concat([huge, large]), withChecksum)],
];
for (const [name, stored] of compressions) {
  test(`${name} that is cut anywhere is an error`, async () => {
    for (const length of cuts(stored.length)) {
      await fails(stored.subarray(0, length), "layer", `${length} of ${stored.length}`);
    }
  });

  test(`${name} followed by a truncated frame or member is an error`, async () => {
    for (const length of [5, 10, Math.floor(stored.length / 2), stored.length - 1]) {
      await fails(join([stored, stored.subarray(0, length)]), "layer", `${length}`);
    }
  });
}

test("damaged gzip and damaged zstd with a checksum are errors, and nothing hangs", async () => {
  const damageable = [
    gzipSync(large),
    zstd(large, withChecksum),
    zstd(huge, withChecksum),
  ];
  for (const stored of damageable) {
    for (const at of [12, Math.floor(stored.length / 3), stored.length - 2]) {
      const spoilt = Buffer.from(stored);
      spoilt[at]! ^= 0x55;
      await fails(spoilt, "layer", `at ${at} of ${stored.length}`);
    }
  }
});

const garbage: readonly [title: string, bytes: Buffer][] = [
  ["zeros", Buffer.alloc(100)],
  ["one byte", Buffer.from([1])],
  ["text", Buffer.from("garbage")],
  ["gzip", gzipSync(small)],
  ["half a magic number", Buffer.from([0x28, 0xb5])],
];
for (const [title, bytes] of garbage) {
  test(`zstd followed by ${title} is an error`, async () => {
    await fails(join([zstd(small), bytes]), "layer");
  });
}

test("a truncated skippable frame is an error", async () => {
  for (const length of [4, 7, 8, 50]) {
    await fails(join([zstd(small), skippable(100).subarray(0, length)]), "layer");
  }
});

test("a zstd block of the reserved type is an error", async () => {
  await fails(Buffer.from("28b52ffd2400070000", "hex"), "layer");
});

const foreign: readonly [name: string, hex: string][] = [
  ["bzip2", "425a683931415926535926535959"],
  ["xz", "fd377a585a000004e6d6b446"],
  ["lz4", "04224d186440a7"],
];
for (const [name, hex] of foreign) {
  test(`${name} is refused, and the error names it and says what to do`, async () => {
    const stored = Buffer.from(hex.padEnd(200, "0"), "hex");
    const error = { code: "unsupported", message: new RegExp(name), hint: /skopeo copy .*gzip/ };
    await assert.rejects(collect(stored), error);
    await assert.rejects(collect(stored, 1), error);
  });
}

test("an input that fails after its last byte is a failure", async () => {
  const failure = new DenrootError("network", "The connection broke");
  for (const stored of [gzipSync(large), zstd(large), zstd(huge), small]) {
    const broken = async function* () {
      for (let at = 0; at < stored.length; at += 65_536) yield stored.subarray(at, at + 65_536);
      throw failure;
    };
    for (const here of [true, false]) {
      await assert.rejects(async () => {
        for await (const _ of decompress(broken(), { here }));
      }, failure);
    }
  }
});

test("an error of the input comes out unchanged", async () => {
  const failure = new DenrootError("network", "The connection broke");
  for (const stored of [gzipSync(large), zstd(large), zstd(huge), small]) {
    const broken = async function* () {
      yield stored.subarray(0, 700);
      await Promise.resolve();
      throw failure;
    };
    for (const here of [true, false]) {
      await assert.rejects(async () => {
        for await (const _ of decompress(broken(), { here }));
      }, failure);
    }
  }
});

test("a reader that stops reading stops the input", async () => {
  for (const stored of [gzipSync(large), zstd(large), large]) {
    let ended = 0;
    const input = async function* () {
      try {
        for (let at = 0; at < stored.length; at += 1000) yield stored.subarray(at, at + 1000);
      } finally {
        ended++;
      }
    };
    for (const here of [true, false]) for await (const _ of decompress(input(), { here })) break;
    for (let turn = 0; turn < 5000 && ended < 2; turn++) await new Promise((r) => setTimeout(r, 2));
    assert.equal(ended, 2);
  }
});

/** One frame. Deno adds an empty one: data that is cut before that would be whole. */
function zstd(content: string | Uint8Array, options: ZstdOptions = {}): Buffer {
  const stored = zstdCompressSync(content, options);
  const flags = stored[4]!;
  const single = (flags & 0x20) !== 0;
  let end = 5 + (single ? 0 : 1) + [single ? 1 : 0, 2, 4, 8][flags >> 6]!;
  for (let last = false; !last;) {
    const header = stored.readUIntLE(end, 3);
    last = (header & 1) !== 0;
    end += 3 + ((header & 6) === 2 ? 1 : header >> 3);
  }
  return stored.subarray(0, end + (flags & 4));
}

/** Some lengths: each one within the header and within the end, and a few between. */
function cuts(length: number): number[] {
  const places = new Set<number>();
  for (let at = 1; at < Math.min(24, length); at++) places.add(at).add(length - at);
  for (let part = 1; part < 12; part++) places.add(Math.floor(length * part / 12));
  // Fewer bytes than a magic number are plain data.
  return [...places].filter((at) => at > 3).sort((a, b) => a - b);
}

async function fails(stored: Buffer, code: ErrorCode, message = ""): Promise<void> {
  await assert.rejects(collect(stored), (error) => {
    assert.ok(error instanceof DenrootError, `${message}: ${error}`);
    assert.equal(error.code, code, message);
    return true;
  }, message);
}

async function collect(stored: Buffer, chunkSize = 64 * 1024): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < stored.length; at += chunkSize) {
    chunks.push(stored.subarray(at, at + chunkSize));
  }
  return await collectChunks(chunks);
}

/** Decompresses on this thread and on another, which must agree. */
async function collectChunks(chunks: readonly Buffer[]): Promise<Buffer> {
  const [here, elsewhere] = await Promise.allSettled([
    collectParts(chunks, true),
    collectParts(chunks, false),
  ]);
  assert.equal(here.status, elsewhere.status);
  if (here.status === "rejected") throw here.reason;
  const content = join(here.value);
  if (elsewhere.status === "fulfilled") assert.ok(join(elsewhere.value).equals(content));
  return content;
}

async function collectParts(chunks: readonly Buffer[], here: boolean): Promise<Buffer[]> {
  // All pieces share one buffer: each overwrites the one before.
  const buffer = Buffer.alloc(Math.max(0, ...chunks.map(({ length }) => length)));
  const input = async function* () {
    for (const chunk of chunks) {
      chunk.copy(buffer);
      yield buffer.subarray(0, chunk.length);
      buffer.fill(0xaa);
    }
  };
  const parts: Buffer[] = [];
  for await (const bytes of decompress(input(), { here })) parts.push(Buffer.from(bytes));
  return parts;
}

function join(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts);
}
