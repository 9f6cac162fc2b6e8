/** Times and bytes of images, made by the host's mksquashfs and by denroot's own. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { findMksquashfs } from "../../lib/tools/find_tools.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { entry, pack, packOptions, toolPairs } from "./packing.ts";

const scratch = scratchDirectory("times");
const IMAGE_TIME = 1_600_000_000;
const EARLY = 1_500_000_000;
const LATE = 1_700_000_000;
let images = 0;

for (const { title, mksquashfs: program, unsquashfs } of toolPairs) {
  const find = () => findMksquashfs({ mksquashfs: program, cachePath: "", environment: {} });

  test(`with ${title} mksquashfs files keep their times, and late times from version 4.6 on`, async () => {
    const mksquashfs = await find();
    const image = newImage();
    const entries = [
      entry("early", { mtime: EARLY }),
      entry("late", { mtime: LATE }),
      entry("d", { type: "directory", mode: 0o755, mtime: LATE }),
    ];
    await pack(image, entries, packOptions(mksquashfs, { time: IMAGE_TIME }));
    const late = mksquashfs.setsRootTime ? LATE : IMAGE_TIME;
    assert.deepEqual(await timesIn(unsquashfs, image), {
      "/": IMAGE_TIME,
      "early": EARLY,
      "late": late,
      "d": late,
    });
    assert.equal(fileSystemTime(image), IMAGE_TIME);
  });

  test(`with ${title} mksquashfs impossible times become the nearest possible ones`, async () => {
    const last = 2 ** 32 - 1;
    const times = [-(2 ** 70), -1, 0, last, 2 ** 32, 2 ** 70, Infinity];
    const entries = times.map((mtime, at) => entry(`${at}`, { mtime }));
    const image = newImage();
    await pack(image, entries, packOptions(await find(), { time: last }));
    const { "/": _, ...found } = await timesIn(unsquashfs, image);
    assert.deepEqual(Object.values(found), [0, 0, 0, last, last, last, last]);
    assert.equal(fileSystemTime(image), last);
  });

  test(`with ${title} mksquashfs the user's options decide on times`, async () => {
    const image = newImage();
    const squashOptions = "-all-time 1234567890 -mkfs-time 1234567891";
    await pack(
      image,
      [entry("late", { mtime: LATE })],
      packOptions(await find(), { squashOptions }),
    );
    assert.equal((await timesIn(unsquashfs, image))["late"], 1_234_567_890);
    assert.equal(fileSystemTime(image), 1_234_567_891);
  });

  test(`with ${title} mksquashfs the image is the same on any number of cores`, async () => {
    const mksquashfs = await find();
    const entries = Array.from(
      { length: 60 },
      (_, at) => entry(`file-${at}`, { content: randomBytes(at * 5000), mtime: EARLY + at }),
    );
    const packed: Buffer[] = [];
    for (const processors of [1, 2, 4]) {
      const image = newImage();
      await pack(image, entries, packOptions(mksquashfs, { processors, time: IMAGE_TIME }));
      packed.push(readFileSync(image));
    }
    assert.ok(packed[0]!.equals(packed[1]!) && packed[0]!.equals(packed[2]!));
  });
}

/** Times by path, read from unsquashfs's pseudo file. */
async function timesIn(unsquashfs: string, image: string): Promise<Record<string, number>> {
  await runProgram(unsquashfs, ["-quiet", "-pf", `${image}.list`, image]);
  const [head] = readFileSync(`${image}.list`, "latin1").split("#\n# START OF DATA");
  const lines = [...head!.matchAll(/^(\S+) [DRSLIBC] (\d+) /gm)];
  return Object.fromEntries(lines.map(([, path, time]) => [path!, Number(time)]));
}

/** The time in the superblock. */
function fileSystemTime(image: string): number {
  return readFileSync(image).readUInt32LE(8);
}

function newImage(): string {
  return join(scratch, `image-${images++}.sqsh`);
}
