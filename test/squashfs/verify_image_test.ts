/** The finished image is read back: each difference from what was packed is an error. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import test from "node:test";
import { verifyImage } from "../../lib/squashfs/verify_image.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import {
  entry,
  ledgerOf,
  mksquashfs,
  pack,
  type PackedEntry,
  packOptions,
  script,
  toolPairs,
  unsquashfs,
} from "./packing.ts";

const scratch = scratchDirectory("verify");
let images = 0;

const names = [
  "plain",
  "with blank",
  " blanks around ",
  "two  blanks",
  "quotes'\"`",
  "back\\slash",
  "back\\ slash and blank",
  "backslash at its end\\",
  "new\nline",
  "\nnewlines around\n",
  "line\nlike R 1600000000 644 0 0 5 0",
  "tab\tbell\x07",
  "no UTF-8 \xff\xfe\x80",
  "#hash",
  "D",
  "n".repeat(255),
];

const agreeing: readonly [title: string, entries: readonly PackedEntry[]][] = [
  ["nothing at all", []],
  ["no file", [entry("d", { type: "directory", mode: 0o755 })]],
  ["empty files", ["a", "b", "c"].map((name) => entry(name))],
  ["empty files between others", ["a", "", "b", "", ""].map((text, at) => entry(`f${at}`, text))],
  [
    "files of all sizes",
    [1, 4095, 4096, 131_071, 131_072, 131_073, 700_000].map((size) =>
      entry(`f${size}`, { content: randomBytes(size) })
    ),
  ],
  ["the same content many times", Array.from({ length: 9 }, (_, at) => entry(`f${at}`, "same"))],
  ["all modes", [0o644, 0o4755, 0o2711, 0o1777, 0o400].map((mode) => entry(`f${mode}`, { mode }))],
  ["odd names", names.map((name) => entry(name, name))],
  [
    "odd names of directories",
    names.flatMap((name) => [
      entry(name, { type: "directory", mode: 0o700 }),
      entry(`${name}/${name}`, name),
    ]),
  ],
  [
    "odd names of links",
    names.flatMap((name) => [
      entry(`1${name}`, name),
      entry(`2${name}`, { type: "hardlink", linkPath: `1${name}` }),
      entry(`3${name}`, { type: "hardlink", linkPath: `1${name}` }),
    ]),
  ],
  [
    "odd targets of symlinks",
    [...names, "x y D 1 755 0 0", "t".repeat(4000)].map((name, at) =>
      entry(`link${at}`, { type: "symlink", linkPath: name })
    ),
  ],
  ["devices and fifos", [
    entry("null", { type: "character", deviceMajor: 1, deviceMinor: 3, mode: 0o666 }),
    entry("disk", { type: "block", deviceMajor: 259, deviceMinor: 70_000, mode: 0o660 }),
    entry("fifo", { type: "fifo", mode: 0o600 }),
    entry("linked", { type: "hardlink", linkPath: "null" }),
  ]],
  ["linked symlinks", [
    entry("a", { type: "symlink", linkPath: "target" }),
    entry("b", { type: "hardlink", linkPath: "a" }),
  ]],
  [
    "attributes",
    ["user.a", "user.line\nbreak", "trusted.two  blanks"].flatMap((name, at) => [
      entry(`${at}`, { xattrs: new Map([[name, Buffer.from(`\0\n${name} R 1 644`)]]) }),
      entry(`${at} behind`, name),
    ]),
  ],
  ["many files", Array.from({ length: 3000 }, (_, at) => entry(`file-${at}`, String(at)))],
];
for (const tools of toolPairs) {
  for (const [title, entries] of agreeing) {
    test(`an image with ${title} is what was packed, by ${tools.title} tools`, async () => {
      const image = newImage();
      await pack(image, entries, packOptions(tools.mksquashfs));
      await verifyImage(tools.unsquashfs, image, ledgerOf(entries));
    });
  }
}

const base: readonly PackedEntry[] = [
  entry("d", { type: "directory", mode: 0o755 }),
  entry("d/file", "the secret"),
  entry("d/other", "the public"),
  entry("d/link", { type: "hardlink", linkPath: "d/file" }),
  entry("device", { type: "character", deviceMajor: 1, deviceMinor: 3 }),
  entry("symlink", { type: "symlink", linkPath: "d/file" }),
];
const differing: readonly [
  title: string,
  path: RegExp,
  change: (entries: PackedEntry[]) => void,
][] = [
  [
    "a changed byte",
    /'\/d\/file'|'\/d\/link'/,
    change("d/file", { content: Buffer.from("the sacred") }),
  ],
  [
    "a byte too few",
    /'\/d\/file'|'\/d\/link'/,
    change("d/file", { content: Buffer.from("the secre") }),
  ],
  ["an emptied file", /'\/d\/other'/, change("d/other", { content: new Uint8Array() })],
  ["another mode", /'\/d\/other'/, change("d/other", { mode: 0o600 })],
  ["another mode of a directory", /'\/d'/, change("d", { mode: 0o711 })],
  ["another device", /'\/device'/, change("device", { deviceMinor: 5 })],
  ["another kind of device", /'\/device'/, change("device", { type: "block" })],
  ["another target of a symlink", /'\/symlink'/, change("symlink", { linkPath: "d/other" })],
  ["a longer target of a symlink", /'\/symlink'/, change("symlink", { linkPath: "d/file2" })],
  ["a shorter target of a symlink", /'\/symlink'/, change("symlink", { linkPath: "d/fil" })],
  [
    "another target of a hard link",
    /'\/d\/(link|file|other)'/,
    change("d/link", { linkPath: "d/other" }),
  ],
  [
    "a symlink made a file",
    /'\/symlink'/,
    change("symlink", { type: "file", content: Buffer.from("d/file") }),
  ],
  ["a missing file", /paths instead|'\/d\/other'/, remove("d/other")],
  ["a missing link", /paths instead/, remove("d/link")],
  ["a missing symlink", /paths instead/, remove("symlink")],
  [
    "a path too many",
    /'\/d\/new'|paths instead/,
    (entries) => void entries.push(entry("d/new", "x")),
  ],
  ["another name", /'\/renamed'|paths instead/, change("symlink", { path: "renamed" })],
];
for (const [title, message, alter] of differing) {
  test(`an image with ${title} differs from what was packed`, async () => {
    const image = newImage();
    const altered = base.map((one) => ({ ...one }));
    alter(altered);
    await pack(image, altered, packOptions(mksquashfs));
    await assert.rejects(verifyImage(unsquashfs, image, ledgerOf(base)), {
      code: "squashfs",
      message,
    });
  });
}

test("the check notices a mksquashfs that changes a byte", async () => {
  const image = newImage();
  const program = script(
    join(scratch, "changing"),
    'sed "s/the secret/the sacred/" | $MKSQUASHFS "$@"',
  );
  await pack(image, base, packOptions(program));
  await assert.rejects(verifyImage(unsquashfs, image, ledgerOf(base)), {
    code: "squashfs",
    message: /'\/d\/(file|link)' is not what was packed/,
  });
});

test("the check notices options that leave something out", async () => {
  const image = newImage();
  const program = script(
    join(scratch, "excluding"),
    'exec $MKSQUASHFS "$@" -no-duplicates 2> /dev/null',
  );
  await pack(image, base.slice(0, -1), packOptions(program));
  await assert.rejects(verifyImage(unsquashfs, image, ledgerOf(base)), {
    message: /5 paths instead of 6/,
  });
});

test("a file that is not an image, or does not exist, is an error", async () => {
  const text = script(join(scratch, "text"), "");
  for (const image of [text, join(scratch, "missing")]) {
    await assert.rejects(verifyImage(unsquashfs, image, ledgerOf(base)), { code: "squashfs" });
  }
});

test("an unsquashfs that does not exist, or that is killed, is an error", async () => {
  const killed = script(join(scratch, "killed"), "kill -9 $$");
  for (const program of [killed, join(scratch, "missing")]) {
    await assert.rejects(verifyImage(program, "image", ledgerOf([])), { code: "squashfs" });
  }
});

test("the error has the words of an unsquashfs that complains at length", async () => {
  const program = script(
    join(scratch, "complaining"),
    "i=0; while [ $i -lt 3000 ]; do echo 'a complaint of a good length, to fill the pipe' >&2; i=$((i+1)); done; echo the end >&2; exit 1",
  );
  await assert.rejects(verifyImage(program, "image", ledgerOf([])), {
    code: "squashfs",
    message: /the end$/,
  });
});

test("the list of paths may come in pieces of any size", async () => {
  const image = newImage();
  const entries = base.map((one) =>
    one.type === "file" ? { ...one, content: Buffer.from("a line\n") } : one
  );
  await pack(image, entries, packOptions(mksquashfs));
  const program = script(
    join(scratch, "slow"),
    `$UNSQUASHFS "$@" | while IFS= read -r line; do printf '%s\\n' "$line"; sleep 0.01; done`,
  );
  await verifyImage(program, image, ledgerOf(entries));
});

function change(path: string, to: Partial<PackedEntry>): (entries: PackedEntry[]) => void {
  return (entries) => void Object.assign(entries.find((one) => one.path === path)!, to);
}

function remove(path: string): (entries: PackedEntry[]) => void {
  return (entries) => void entries.splice(entries.findIndex((one) => one.path === path), 1);
}

function newImage(): string {
  return join(scratch, `image-${images++}.sqsh`);
}
