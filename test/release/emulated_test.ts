/** The executables on processors that this machine does not have. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { VERSION } from "../../lib/system/version.ts";
import { Denroot, useDenroot } from "../helpers/denroot_command.ts";
import { armLibraries, onArm, onOldProcessor, writeWrapper } from "../helpers/emulated_machine.ts";
import { writeImage, writeIndex } from "../helpers/image_fixture.ts";
import { startRegistry } from "../helpers/registry_server.ts";
import { releasedExecutable, squashfsTool } from "../helpers/release.ts";
import { startProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { directory, file, link } from "../helpers/tar_fixture.ts";

const scratch = scratchDirectory("emulated");
const registry = await startRegistry();
after(() => registry.stop());
const uri = addImage();
const here = useDenroot({
  name: "this machine's executable",
  command: [releasedExecutable(process.arch === "arm64" ? "arm64" : "x64")],
});

test("the emulated old processor has no AVX2", async () => {
  const program = join(scratch, "avx2");
  writeFileSync(program, programWithAvx2(), { mode: 0o755 });
  const [emulator, ...args] = onOldProcessor(program);
  const old = await startProgram(emulator, args).done;
  assert.equal(old.signal, "SIGILL");
  const recent = await startProgram(emulator, ["-cpu", "max", program]).done;
  assert.equal(recent.exitCode, 0, recent.stderr);
});

test("the executable for x64 needs no AVX2", async () => {
  const old = useDenroot({
    name: "an old processor",
    command: onOldProcessor(releasedExecutable("x64")),
  });
  assert.equal((await old.succeed(["--version"])).stdout, `${VERSION}\n`);
  // Programs that denroot starts leave the emulation: a wrapper runs mksquashfs in it again.
  const mksquashfs = writeWrapper(
    join(scratch, "old-mksquashfs"),
    onOldProcessor(squashfsTool("x64", "mksquashfs")),
  );
  await assertSameImage(old, { DENROOT_MKSQUASHFS: mksquashfs });
});

const armProgram = releasedExecutable("arm64");
const armCommand = await onArm(armProgram);
// A program cannot start another for a foreign processor without binfmt_misc.
const packs = armCommand === undefined
  ? "packs by the mksquashfs that it is given in a wrapper"
  : "packs by the mksquashfs that it carries";

test(`the executable for arm64 imports, and ${packs}`, async () => {
  const arm = useDenroot({
    name: "arm64",
    command: armCommand ?? ["qemu-aarch64-static", armProgram],
  });
  assert.equal((await arm.succeed(["--version"], { env: armLibraries })).stdout, `${VERSION}\n`);
  if (armCommand !== undefined) {
    const { stdout } = await arm.succeed(["info"], { env: armLibraries });
    assert.match(stdout, /mksquashfs +[\d.]+\S* +denroot's own/);
  }
  const wrapper = writeWrapper(join(scratch, "arm-mksquashfs"), [
    "qemu-aarch64-static",
    squashfsTool("arm64", "mksquashfs"),
  ]);
  await assertSameImage(arm, {
    ...armLibraries,
    DENROOT_MKSQUASHFS: armCommand === undefined ? wrapper : undefined,
  });
});

/** The emulated machine must make the same image for arm64 as this machine, byte for byte. */
async function assertSameImage(
  emulated: Denroot,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const args = ["--arch", "arm64"];
  const [expected, made] = [
    await here.import(uri, { args }),
    await emulated.import(uri, { args, env }),
  ];
  assert.equal(sha256Of(made), sha256Of(expected));
}

/** An index of two platforms, large enough to use all workers. */
function addImage(): string {
  const layout = join(scratch, "layout");
  const text = Array.from({ length: 40_000 }, (_, line) => `line ${line * line}\n`).join("");
  const images = (["amd64", "arm64"] as const).map((architecture) =>
    writeImage(layout, {
      layers: [
        [directory("etc"), file("etc/machine", architecture), file("text", text)],
        {
          tar: [file("usr/second", text.slice(1000)), link("usr/third", "usr/second")],
          compression: "zstd",
        },
      ],
      platform: { os: "linux", architecture },
      listed: false,
    })
  );
  const index = writeIndex(
    layout,
    images.map((image) => ({ blob: image.manifest, platform: image.platform })),
  );
  for (const image of images) registry.add(image, "two/platforms", image.platform.architecture);
  registry.addManifest(index, "two/platforms", "latest");
  return registry.uri("two/platforms");
}

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** A program that runs `vpxor ymm0, ymm0, ymm0` and exits with code 0. */
function programWithAvx2(): Buffer {
  const code = Buffer.from("c5fdefc0" + "b83c000000" + "31ff" + "0f05", "hex");
  const [headerSize, segmentSize, address] = [64, 56, 0x400000];
  const header = Buffer.alloc(headerSize + segmentSize);
  header.write("7f454c46020101", "hex");
  header.writeUInt16LE(2, 16); // an executable
  header.writeUInt16LE(0x3e, 18); // for x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(address + header.length), 24);
  header.writeBigUInt64LE(BigInt(headerSize), 32);
  header.writeUInt16LE(headerSize, 52);
  header.writeUInt16LE(segmentSize, 54);
  header.writeUInt16LE(1, 56);
  const segment = header.subarray(headerSize);
  segment.writeUInt32LE(1, 0); // to be loaded
  segment.writeUInt32LE(5, 4); // to be read and executed
  segment.writeBigUInt64LE(BigInt(address), 16);
  segment.writeBigUInt64LE(BigInt(header.length + code.length), 32);
  segment.writeBigUInt64LE(BigInt(header.length + code.length), 40);
  segment.writeBigUInt64LE(4096n, 48);
  return Buffer.concat([header, code]);
}
