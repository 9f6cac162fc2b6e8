/** Tests that damaged and hostile archives give one clear error each. */

import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { BlobCache } from "../../../lib/store/blob_cache.ts";
import type { Reference } from "../../../lib/types/reference.ts";
import {
  blobName,
  layoutMembers,
  newDockerArchive,
  oldDockerArchive,
  withMember,
} from "../../helpers/archive_fixture.ts";
import { writeImage } from "../../helpers/image_fixture.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { file, tarArchive, type TarSpec } from "../../helpers/tar_fixture.ts";
import { errorOf, FORMS, makeContext, openImage, writeArchive } from "./archive_tests.ts";
import { hostileCases, type Scheme } from "./hostile_cases.ts";

const scratch = scratchDirectory("hostile-archives");
const context = makeContext(scratch);
new BlobCache(join(scratch, "cache")).open();

const layout = join(scratch, "layout");
mkdirSync(layout);
const image = writeImage(layout, {
  layers: [[file("a", "1")], [file("b", "2".repeat(100_000))]],
  compression: "none",
});
const layerName = blobName(image.layers[1]!.digest);
const contents = [image.config, ...image.layers].map(({ bytes }) => bytes);

const SOUND: Readonly<Record<Scheme, readonly TarSpec[]>> = {
  "oci-archive": layoutMembers(layout),
  "docker-archive": newDockerArchive(image, ["n/app:1"]),
};

async function read(scheme: Scheme, path: string): Promise<readonly Buffer[]> {
  const opened = await openImage({ scheme, path } as Reference, context);
  return [opened.config, ...opened.layers];
}

const CASES = hostileCases({
  config: blobName(image.config.digest),
  layer: layerName,
  manifest: blobName(image.manifest.digest),
});

for (const { what, of, change, code, message } of CASES) {
  test(`${what} (${of})`, async () => {
    const tar = tarArchive(change(SOUND[of]));
    for (const [form, make] of FORMS) {
      const path = writeArchive(scratch, tar, make);
      const error = await errorOf(read(of, path));
      assert.equal(error.code, code, `${form}: ${error.message}`);
      assert.match(error.message, message, form);
      assert.ok(error.message.includes(path), `${form}: ${error.message}`);
      assert.deepEqual(readdirSync(join(scratch, "cache/ingest")), [], form);
    }
  });
}

test("a sparse layer is read from a compressed archive, and refused in a plain one", async () => {
  const size = contents[2]!.length;
  const chunks = [[0, contents[2]!]] as const;
  for (const format of ["gnu", "0.0", "0.1", "1.0"] as const) {
    const tar = tarArchive(
      withMember(SOUND["oci-archive"], layerName, (one) => ({
        ...one,
        sparse: { format, size, chunks },
      })),
    );
    const error = await errorOf(read("oci-archive", writeArchive(scratch, tar)));
    assert.match(
      error.message,
      /is a sparse file, which denroot does not read from a plain archive$/,
    );
    const path = writeArchive(scratch, tar, FORMS[1]![1]);
    assert.deepEqual(await read("oci-archive", path), contents);
  }
});

test("a stream with more bytes than the settings allow is refused", async () => {
  const settings = { ...context.settings, maxImageBytes: 100_000 };
  const path = writeArchive(scratch, SOUND["oci-archive"], FORMS[1]![1]);
  const error = await errorOf(
    openImage({ scheme: "oci-archive", path }, { ...context, settings }),
  );
  assert.equal(error.code, "limit");
  assert.match(error.message, /has more than 100000 bytes$/);
  assert.deepEqual(readdirSync(join(scratch, "cache/ingest")), []);
});

test("a damaged archive, or one without an image, leaves nothing new in the cache", async () => {
  const [old, other] = ["old ", "other "].map((text) => file(text, text.repeat(20_000)));
  const own = makeContext(join(scratch, "own"));
  const tar = tarArchive([old!, other!]);
  const writer = own.blobs.spool();
  writer.write(tar.subarray(512, 512 + 80_000));
  const { digest } = await writer.commit();
  writer.close();
  const whole = writeArchive(scratch, tar, FORMS[1]![1]);
  const cut = writeArchive(scratch, tar.subarray(0, -100_000), FORMS[1]![1]);
  for (const scheme of ["path", "oci-archive", "docker-archive"] as const) {
    for (const path of [whole, cut]) await errorOf(openImage({ scheme, path }, own));
    const left = readdirSync(join(scratch, "own/cache/blobs/sha256"));
    assert.deepEqual(left, [digest.slice("sha256:".length)], scheme);
  }
});

for (const compression of ["gzip", "zstd"] as const) {
  test(`layers that decompress (${compression}) to more than the settings allow are refused`, async () => {
    const layers = ["1", "2", "3"].map((text) => [file(text, text.repeat(400_000))]);
    const small = writeImage(layout, { layers, compression });
    const path = writeArchive(scratch, newDockerArchive(small, ["n/app:1"]));
    const open = (maxImageBytes: number) =>
      openImage({ scheme: "docker-archive", path }, {
        ...context,
        settings: { ...context.settings, maxImageBytes },
      });
    assert.equal((await open(2_000_000)).layers.length, 3);
    const error = await errorOf(open(1_000_000));
    assert.equal(error.code, "limit");
    assert.match(error.message, /: the image has more than 1000000 bytes$/);
    assert.match(error.hint!, /DENROOT_MAX_IMAGE_BYTES/);
  });
}

test("when a file and the end mark are missing, the hint says that the archive may be cut short", async () => {
  for (const scheme of ["oci-archive", "docker-archive"] as const) {
    const members = SOUND[scheme].filter(({ path }) =>
      !/^(oci-layout|repositories|.*\.json)$/.test(`${path}`)
    );
    for (const [form, make] of FORMS) {
      const path = writeArchive(scratch, tarArchive(members, { end: "nothing" }), make);
      const error = await errorOf(read(scheme, path));
      assert.equal(error.code, "not_found", form);
      assert.match(error.hint!, /has no end mark: it may have been cut short$/);
    }
  }
});

test("the order of the members has no influence", async () => {
  const tars = [SOUND["oci-archive"], SOUND["docker-archive"]] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(1),
      fc.constantFrom(...FORMS),
      fc.infiniteStream(fc.nat()),
      async (which, [, make], order) => {
        const scheme = (["oci-archive", "docker-archive"] as const)[which]!;
        const ranked = tars[which]!.map((one) => [order.next().value as number, one] as const);
        const members = ranked.sort(([one], [other]) => one - other).map(([, one]) => one);
        assert.deepEqual(await read(scheme, writeArchive(scratch, members, make)), contents);
      },
    ),
    { numRuns: 40 },
  );
});

const old = tarArchive(oldDockerArchive([{ tags: ["n/app:1"], image }]));
const CUT: readonly (readonly [string, Scheme, Buffer])[] = [
  ["a layout", "oci-archive", tarArchive(SOUND["oci-archive"])],
  ["an archive of Docker 25", "docker-archive", tarArchive(SOUND["docker-archive"])],
  ["an archive of Docker 24", "docker-archive", old],
];

for (const [what, scheme, tar] of CUT) {
  test(`${what} that is cut anywhere gives an error or the same image`, async () => {
    const blocks = Array.from({ length: tar.length / 512 }, (_, block) => block * 512);
    // All blocks in the middle of a content are alike: testing some of them is enough.
    const ends = blocks.filter((at) => at < 20_480 || at > tar.length - 20_480);
    for (const end of ends.flatMap((at) => [at, at + 1, at + 257, at + 511])) {
      await assertSameOrError(scheme, tar.subarray(0, end));
    }
  });

  for (const [form, make] of FORMS.slice(1)) {
    test(`${what} (${form}) that is cut anywhere gives an error`, async () => {
      const stored = make(tar);
      for (let end = 0; end < stored.length; end += 61) {
        assert.ok(!await assertSameOrError(scheme, stored.subarray(0, end)), `at ${end}`);
      }
    });
  }
}

/** Gives whether the image is the same. Fails for an error that is not a DenrootError. */
async function assertSameOrError(scheme: Scheme, bytes: Uint8Array): Promise<boolean> {
  const path = writeArchive(scratch, bytes);
  try {
    assert.deepEqual(await read(scheme, path), contents);
    return true;
  } catch (error) {
    await errorOf(Promise.reject(error));
    return false;
  } finally {
    rmSync(path);
  }
}
