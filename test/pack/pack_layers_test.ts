/** Packing with its threads and mksquashfs: what is refused, warned of and left behind. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { WIDE_ENTRIES } from "../../lib/pack/wide_directories.ts";
import { UnusableBlob } from "../../lib/store/unusable_blob.ts";
import { digestOf } from "../helpers/image_fixture.ts";
import { openFiles, watchTimers } from "../helpers/leaks.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { directory, file, link, opaque, tarArchive } from "../helpers/tar_fixture.ts";
import { mksquashfs, packOptions, script } from "../squashfs/packing.ts";
import { failureOf, packingIn, zeros } from "./pack_fixture.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("pack-layers");
const { pack, scriptedMksquashfs } = packingIn(scratch);

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
  const fetcher = { readable: () => new Promise<never>(() => {}) };
  setTimeout(() => controller.abort(), 50);
  const error = failureOf(
    await pack([[file("a", "1")]], { fetcher, signal: controller.signal }),
  );
  assert.equal(error.code, "aborted");
});

test("an abort while mksquashfs is started ends it as aborted", async () => {
  const controller = new AbortController();
  const fetcher = { readable: () => new Promise<never>(() => {}) };
  const packing = pack([[file("a", "1")]], { fetcher, signal: controller.signal });
  controller.abort();
  assert.equal(failureOf(await packing).code, "aborted");
});

test("an abort before the start packs nothing", async () => {
  const marker = join(scratch, "was-started");
  const squash = scriptedMksquashfs(`touch ${marker}; cat >/dev/null`);
  const error = failureOf(
    await pack([[file("a", "1")]], { squash, signal: AbortSignal.abort() }),
  );
  assert.equal(error.code, "aborted");
  assert.ok(!existsSync(marker));
});

test("a root's mode that was found once is kept when the packing starts again", async () => {
  const layers = [[directory("./", { mode: 0o711 }), file("y/rc", "2"), link("z", "y/rc")]];
  const ownFiles = [{ path: "etc/rc", mode: 0o644, content: new Uint8Array() }];
  const { messages, outcome } = await pack(layers, { ownFiles });
  assert.equal(outcome.status, "fulfilled");
  assert.equal(messages.length, 2, messages.join("\n"));
});

test("a transfer that fails ends the packing with its error, wherever the packing is", async () => {
  const error = new DenrootError("network", "The registry is gone");
  const never = () => new Promise<never>(() => {});
  const failing = () => new Promise<never>((_, reject) => setTimeout(reject, 50, error));
  const layers = [[file("a", "1")], [file("b", "2")]];
  // The layers never come, but the fetcher reports why.
  assert.equal(
    failureOf(await pack(layers, { fetcher: { readable: never, failure: failing() } })),
    error,
  );
  // All layers are packed, but one of them was not what it should be.
  assert.equal(failureOf(await pack(layers, { fetcher: { finished: failing } })), error);
});

test("damaged bytes of a transfer explain what is wrong in a layer", async () => {
  const error = new DenrootError("digest", "The transfer was damaged");
  const fetcher = { verified: () => Promise.reject(error) };
  const layers = [[file("b", "2", { checksum: "bad" })]];
  assert.equal(failureOf(await pack(layers, { fetcher })), error);
});

test("a layer that is cut short is named, and so is a path in UTF-8", async () => {
  const cut = tarArchive([file("a", "x".repeat(2000))]).subarray(0, 1500);
  assert.equal(failureOf(await pack([cut])).message, "Layer 0: The tar stream is cut short");
  const climbing = failureOf(await pack([[file("../\u00e4", "1")]]));
  assert.match(climbing.message, /^Layer 0: The path '.*\u00e4' leads out of the image$/);
});

test("mksquashfs has the last word when it stops reading, or ends while layers are awaited", async () => {
  using timers = watchTimers();
  const squash = scriptedMksquashfs(
    "head -c 1 >/dev/null; exec 0<&-; sleep 0.3; echo 'FATAL: no luck' >&2; exit 1",
  );
  const error = failureOf(await pack([[zeros], [zeros]], { squash }));
  assert.deepEqual([error.code, /FATAL: no luck/.test(error.message)], ["squashfs", true]);
  const fetcher = { readable: () => new Promise<never>(() => {}) };
  const ended = scriptedMksquashfs("echo 'FATAL: no luck' >&2; exit 1");
  const waiting = failureOf(await pack([[zeros]], { squash: ended, fetcher }));
  assert.match(waiting.message, /FATAL: no luck/);
  assert.ok(!timers.delaysMs.includes(1000), "the wait for the last word goes on");
});

test("the bytes that are packed are told", async () => {
  const { packedBytes } = await pack([[zeros, { ...zeros, path: "more" }]]);
  assert.ok(packedBytes.length >= 2);
  assert.ok(packedBytes.at(-1)! > 16 * 2 ** 20);
});

test("packings leave no threads and no open files, whichever way they end", async () => {
  const threads = () => readdirSync("/proc/self/task").length;
  await pack([[file("a", "1")]]);
  const before = { files: openFiles(), threads: threads() };
  for (let turn = 0; turn < 4; turn++) {
    await pack([[file("a", "1")]]);
    failureOf(await pack([[zeros]], { maxBytes: 1000 }));
  }
  await waitUntil("threads end", () => threads() < before.threads + 4);
  await waitUntil("files are closed", () => openFiles() < before.files + 6);
});
