/** Packing: an image appears whole or not at all, even when mksquashfs fails. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { splitOptions } from "../../lib/squashfs/mksquashfs_call.ts";
import { outputExists, startPacker } from "../../lib/squashfs/packer.ts";
import { processMark } from "../../lib/system/files/process_mark.ts";
import { deadMark } from "../helpers/dead_mark.ts";
import { runProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { entry, mksquashfs, pack, packOptions, script, send, unsquashfs } from "./packing.ts";

const scratch = scratchDirectory("packer");
const entries = [
  entry("d", { type: "directory", mode: 0o711 }),
  entry("d/file", "content"),
  entry("large", { content: new Uint8Array(2_000_000).fill(7) }),
];
let places = 0;

test("an image appears under its name, with nothing beside it", async () => {
  const target = newTarget();
  await pack(target, entries, packOptions(mksquashfs, { rootMode: 0o700 }));
  assert.deepEqual(beside(target), ["image.sqsh"]);
  const { stdout } = await runProgram(unsquashfs, ["-lln", target]);
  assert.match(stdout, /^drwx------ 0\/0/m);
  assert.match(stdout, /^drwx--x--x 0\/0 .*\/d$/m);
  assert.match(stdout, /^-rw-r--r-- 0\/0 +7 .*\/d\/file$/m);
});

test("there is no image before it is published", async () => {
  const target = newTarget();
  const packer = await startPacker(target, packOptions(mksquashfs));
  await send(packer, entries);
  assert.ok(!fs.existsSync(target));
  const temporary = await packer.finish();
  assert.ok(!fs.existsSync(target) && fs.existsSync(temporary));
  assert.equal(await packer.publish(), fs.statSync(target).size);
  assert.deepEqual(beside(target), ["image.sqsh"]);
});

test("a target that appears meanwhile is kept, unless it is to be replaced", async () => {
  const target = newTarget();
  fs.writeFileSync(target, "precious");
  await assert.rejects(pack(target, entries, packOptions(mksquashfs)), {
    code: "exists",
    message: outputExists(target).message,
  });
  assert.equal(fs.readFileSync(target, "utf8"), "precious");
  assert.deepEqual(beside(target), ["image.sqsh"]);
  await pack(target, entries, packOptions(mksquashfs, { force: true }));
  assert.ok(fs.statSync(target).size > 100);
  assert.deepEqual(beside(target), ["image.sqsh"]);
});

test("a target that cannot be replaced leaves nothing beside it", async () => {
  const target = newTarget();
  fs.mkdirSync(join(target, "full"), { recursive: true });
  await assert.rejects(pack(target, entries, packOptions(mksquashfs, { force: true })), {
    code: "file",
    message: /cannot be written/,
  });
  assert.deepEqual(beside(target), ["image.sqsh"]);
});

test("the error names a directory that does not exist", async () => {
  const target = join(scratch, "missing", "image.sqsh");
  await assert.rejects(startPacker(target, packOptions(mksquashfs)), {
    code: "file",
    message: /missing cannot be read/,
  });
});

test("the error names a mksquashfs that cannot be started, and nothing is left", async () => {
  const target = newTarget();
  await assert.rejects(startPacker(target, packOptions(join(scratch, "no-program"))), {
    code: "squashfs",
    message: /no-program cannot be started/,
  });
  assert.deepEqual(beside(target), []);
});

test("an abort ends mksquashfs and leaves nothing", async () => {
  const target = newTarget();
  const pidFile = `${target}.pid`;
  const program = script(
    join(scratch, "telling"),
    `echo $$ > "${pidFile}"; exec $MKSQUASHFS "$@"`,
  );
  const packer = await startPacker(target, packOptions(program));
  await send(packer, entries.slice(0, 1));
  await waitUntil("a pid", () => fs.existsSync(pidFile) && fs.statSync(pidFile).size > 0);
  await packer.abort();
  packer.close();
  assert.ok(!isRunning(Number(fs.readFileSync(pidFile, "utf8"))));
  assert.deepEqual(beside(target), ["image.sqsh.pid"]);
});

test("an abort ends even a program that ignores TERM", async () => {
  const target = newTarget();
  const program = script(
    join(scratch, "deaf"),
    'trap "" TERM; : > "$2"; i=0; while [ $i -lt 400 ]; do sleep 0.05; i=$((i+1)); done',
  );
  const packer = await startPacker(target, packOptions(program));
  await waitUntil("the deaf program's file", () => beside(target).length > 0);
  await packer.abort();
  packer.close();
  assert.deepEqual(beside(target), []);
});

const failures: readonly [title: string, text: string, code: string, message: RegExp][] = [
  ["is killed", "kill -9 $$", "squashfs", /was ended by SIGKILL/],
  [
    "fails",
    "echo 'FATAL ERROR: no luck' >&2; echo more >&2; exit 1",
    "squashfs",
    /status 1: FATAL ERROR: no luck/,
  ],
  ["fails in silence", "exit 7", "squashfs", /ended with status 7$/],
  [
    "reports a full disk",
    "echo 'Write failed because No space left on device' >&2; exit 1",
    "space",
    /no room left/,
  ],
  [
    "warns",
    'echo "odd thing, ignoring" >&2; exec $MKSQUASHFS "$@"',
    "squashfs",
    /not whole: odd thing, ignoring/,
  ],
  [
    "warns at its end",
    '$MKSQUASHFS "$@" || exit 1; echo "Could not resolve hardlink" >&2',
    "squashfs",
    /Could not resolve/,
  ],
];
for (const [title, text, code, message] of failures) {
  test(`a mksquashfs that ${title} makes no image`, async () => {
    const target = newTarget();
    const program = script(join(scratch, "failing"), text);
    const packer = await startPacker(target, packOptions(program));
    const sent = send(packer, entries).catch(() => {});
    const finished = sent.then(() => packer.finish());
    await assert.rejects(Promise.race([finished, packer.failure]), { code, message });
    await packer.abort();
    packer.close();
    await finished.catch(() => {});
    assert.deepEqual(beside(target), []);
  });
}

test("the hint of a failed mksquashfs shows the options that it got", async () => {
  const options = { ...packOptions(mksquashfs), squashOptions: "-b 7" };
  const packer = await startPacker(newTarget(), options);
  await assert.rejects(packer.failure, (error: Error & { hint?: string }) => {
    assert.match(error.message, /ended with status 1: -b block size/);
    assert.match(error.hint ?? "", /^Check the options in ENROOT_SQUASH_OPTIONS .* \("-b 7"\)/);
    return true;
  });
  await packer.abort();
  packer.close();
});

test("an abort after a part of the stream leaves nothing", async () => {
  const target = newTarget();
  const packer = await startPacker(target, packOptions(mksquashfs));
  await send(packer, entries);
  await packer.abort();
  packer.close();
  assert.deepEqual(beside(target), []);
});

test("the leftovers of killed runs beside the target are removed, and other files stay", async () => {
  const target = newTarget();
  const directory = join(target, "..");
  const own = processMark();
  const dead = `.denroot-${deadMark()}.sqsh`;
  const kept = [
    `.denroot-${own}.sqsh`,
    ".denroot-elsewhere.1.1.0123abcd.sqsh",
    ".denroot-x",
    "a.sqsh",
  ];
  for (const name of [dead, ...kept]) fs.writeFileSync(join(directory, name), "");
  await pack(target, entries, packOptions(mksquashfs));
  assert.deepEqual(beside(target), [...kept, "image.sqsh"].sort());
});

test("the user's options come last, and denroot sets no time that they set", async () => {
  const seen = async (squashOptions: string, setsRootTime: boolean) => {
    const target = newTarget();
    const program = script(
      join(scratch, "listing"),
      `printf '%s\\n' "$@" "epoch=$SOURCE_DATE_EPOCH" > "${target}.args"; exec $MKSQUASHFS "$1" "$2" -tar -quiet -no-progress`,
    );
    const options = packOptions(program, {
      squashOptions,
      time: 1234,
      processors: 3,
      rootMode: 0o1777,
    });
    await pack(target, entries, {
      ...options,
      mksquashfs: { ...options.mksquashfs, setsRootTime },
    });
    return fs.readFileSync(`${target}.args`, "utf8").trimEnd().split("\n");
  };
  const old = await seen("  -comp lzo\t-noD ", false);
  assert.equal(old[0], "-");
  assert.deepEqual(old.slice(-4), ["-comp", "lzo", "-noD", "epoch=1234"]);
  const joined = old.join(" ");
  for (const words of ["-tar", "-no-duplicates", "-all-root", "-root-mode 1777", "-processors 3"]) {
    assert.ok(joined.includes(` ${words} `), words);
  }
  const modern = (await seen("-comp zstd", true)).join(" ");
  assert.match(modern, / -mkfs-time 1234 -root-time 1234 -comp zstd epoch=$/);
  for (const setsRootTime of [false, true]) {
    const fixed = (await seen("-all-time 5", setsRootTime)).join(" ");
    assert.ok(!fixed.includes("-mkfs-time") && fixed.endsWith(" -all-time 5 epoch="), fixed);
  }
});

const splits: readonly [text: string, words: string[]][] = [
  ["", []],
  [" \t\n ", []],
  ["-comp lzo -noD", ["-comp", "lzo", "-noD"]],
  ["  -b  1M\n-noI ", ["-b", "1M", "-noI"]],
  ['-p "a b"', ["-p", '"a', 'b"']],
];
for (const [text, words] of splits) {
  test(`the options ${JSON.stringify(text)} are ${words.length} words`, () => {
    assert.deepEqual(splitOptions(text), words);
  });
}

/** A path in a new directory. */
function newTarget(): string {
  const directory = join(scratch, `place-${places++}`);
  fs.mkdirSync(directory);
  return join(directory, "image.sqsh");
}

function beside(target: string): string[] {
  return fs.readdirSync(join(target, "..")).sort();
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a wrong option is reported with mksquashfs's first line, not with its help", async () => {
  const target = newTarget();
  const options = packOptions(mksquashfs, { squashOptions: "-comp nope" });
  const packer = await startPacker(target, options);
  await assert.rejects(packer.failure, /: Compressor "nope" is not supported!$/);
  await packer.abort();
  packer.close();
  assert.deepEqual(beside(target), []);
});
