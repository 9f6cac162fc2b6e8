/** Tests that the image at a path is recognised by its content. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import {
  blobName,
  layoutMembers,
  newDockerArchive,
  oldDockerArchive,
  withMember,
  withoutMember,
} from "../../helpers/archive_fixture.ts";
import { digestOf, type Image, writeImage, writeIndex } from "../../helpers/image_fixture.ts";
import { openFiles } from "../../helpers/leaks.ts";
import { runProgram } from "../../helpers/run_program.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { directory, file, tarArchive, type TarSpec } from "../../helpers/tar_fixture.ts";
import {
  errorOf,
  FORMS,
  HOST,
  makeContext,
  openImage,
  writeArchive,
} from "../archive/archive_tests.ts";

const scratch = scratchDirectory("recognise");
const context = makeContext(scratch);
const layout = join(scratch, "layout");
const NONE = Buffer.from("{}");
let image: Image;

before(() => {
  mkdirSync(layout);
  image = writeImage(layout, { layers: [[file("a", "1")], [file("b", "2")]], compression: "none" });
});

const open = (path: string) => openImage({ scheme: "path", path }, context);

async function assertIs(path: string, uri: string): Promise<void> {
  const opened = await open(path);
  assert.equal(opened.uri, uri);
  assert.deepEqual(opened.config, image.config.bytes);
  assert.deepEqual(opened.layers, image.layers.map(({ bytes }) => bytes));
}

test("a directory is recognised as a layout or as one of skopeo's dir:", async () => {
  await assertIs(layout, `oci:${layout}`);
  const path = join(scratch, "dir");
  await runProgram("skopeo", [
    ...["--insecure-policy", "copy", "--quiet"],
    ...["--dest-oci-accept-uncompressed-layers", `oci:${layout}`, `dir:${path}`],
  ]);
  const opened = await open(path);
  assert.equal(opened.uri, `dir:${path}`);
  assert.equal(opened.image.digest, opened.image.documents[0]!.digest);
});

test("an archive in parts is recognised by its name without a number", async () => {
  const bytes = tarArchive(layoutMembers(layout));
  const path = join(scratch, "parts.tar");
  writeFileSync(`${path}.001`, bytes.subarray(0, 1024));
  writeFileSync(`${path}.002`, bytes.subarray(1024));
  await assertIs(path, `oci-archive:${path}`);
});

for (const [form, make] of FORMS) {
  test(`an archive (${form}) is recognised as a layout or as one of docker save`, async () => {
    const kinds: readonly (readonly [string, readonly TarSpec[]])[] = [
      ["oci-archive", layoutMembers(layout)],
      ["oci-archive", layoutMembers(layout, "./")],
      ["docker-archive", oldDockerArchive([{ tags: ["n/app:1"], image }])],
      ["oci-archive", newDockerArchive(image, ["n/app:1"])],
      ["docker-archive", withoutLayersInLayout()],
    ];
    for (const [scheme, members] of kinds) {
      const path = writeArchive(scratch, members, make);
      await assertIs(path, `${scheme}:${path}`);
    }
  });
}

/** Makes an archive like those of Docker 25.0, whose layout has manifests without layers. */
function withoutLayersInLayout(): TarSpec[] {
  const members = newDockerArchive(image, ["n/app:1"]);
  const manifest = JSON.parse(image.manifest.bytes.toString());
  const bytes = Buffer.from(JSON.stringify({ ...manifest, layers: [] }));
  const digest = digestOf(bytes);
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  index.manifests[0] = { ...index.manifests[0], digest, size: bytes.length };
  return [
    ...withMember(members, "index.json", (one) => ({ ...one, content: JSON.stringify(index) })),
    file(blobName(digest), bytes),
  ];
}

test("an archive of docker save with several platforms gives the image for the wanted one", async () => {
  const path = join(scratch, "platforms");
  mkdirSync(path);
  const other = { os: "linux", architecture: "riscv64" };
  const layers = [[file("a", "1")]];
  const mine = writeImage(path, { layers, listed: false });
  const theirs = writeImage(path, { layers, listed: false, platform: other });
  writeIndex(path, [
    { blob: mine.manifest, platform: HOST },
    { blob: theirs.manifest, platform: other },
  ]);
  const archive = writeArchive(scratch, newDockerArchive(mine, ["n/app:1"], layoutMembers(path)));
  for (const [platform, wanted] of [[HOST, mine], [other, theirs]] as const) {
    const opened = await openImage({ scheme: "path", path: archive }, context, platform);
    assert.equal(opened.image.digest, wanted.manifest.digest);
  }
});

test("attestations and missing platforms in the layout of docker save do not matter", async () => {
  const attestation = JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(NONE), size: 2 },
    layers: [{ mediaType: "application/vnd.in-toto+json", digest: digestOf(NONE), size: 2 }],
  });
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const [entry] = index.manifests;
  const unknown = { os: "unknown", architecture: "unknown" };
  index.manifests = [
    { ...entry, platform: HOST },
    { ...entry, digest: digestOf(Buffer.from(attestation)), platform: unknown },
    { ...entry, digest: digestOf(NONE), platform: { os: "linux", architecture: "riscv64" } },
  ];
  const members = [
    ...withMember(newDockerArchive(image, ["n/app:1"]), "index.json", (one) => ({
      ...one,
      content: JSON.stringify(index),
    })),
    file(blobName(digestOf(Buffer.from(attestation))), attestation),
  ];
  for (const [, make] of FORMS) {
    const path = writeArchive(scratch, members, make);
    await assertIs(path, `oci-archive:${path}`);
    const without = writeArchive(scratch, withoutMember(members, "index.json"), make);
    await assertIs(without, `docker-archive:${without}`);
  }
});

test("an archive whose layout and list name different images is ambiguous", async () => {
  const path = join(scratch, "different");
  mkdirSync(path);
  const different = writeImage(path, { layers: [[file("a", "other")]], compression: "none" });
  const members = [
    ...newDockerArchive(image, ["n/app:1"]),
    ...layoutMembers(path).filter(({ path }) => String(path).startsWith("blobs/sha256/")),
  ];
  const index = readFileSync(join(different.directory, "index.json"));
  const archive = writeArchive(
    scratch,
    withMember(members, "index.json", (one) => ({ ...one, content: index })),
  );
  const error = await errorOf(open(archive));
  assert.equal(error.code, "reference");
  assert.match(error.message, /can be read as two kinds of image$/);
  assert.equal(
    error.hint,
    `Write which one is meant: oci-archive:${archive} or docker-archive:${archive}`,
  );
});

test("a directory that is a layout and also one of skopeo's is ambiguous", async () => {
  const path = join(scratch, "both");
  mkdirSync(path);
  for (const name of ["oci-layout", "index.json", "version", "manifest.json"]) {
    writeFileSync(join(path, name), "{}");
  }
  const error = await errorOf(open(path));
  assert.equal(error.code, "reference");
  assert.match(error.hint!, new RegExp(`oci:${path} or dir:${path}`));
});

const rootFiles = [directory("etc/"), file("etc/passwd", "x"), directory("usr/"), file("usr/a")];

/** [what is at the path, the path, code, message, hint] */
const OTHERS: readonly (readonly [string, () => string, string, RegExp, RegExp])[] = [
  [
    "the name of an image in a registry",
    () => "nvcr.io/nvidia/pytorch:25.06",
    ...[
      "not_found",
      /no file or directory "nvcr\.io\/nvidia\/pytorch:25\.06"$/,
      /write docker:\/\/nvcr\.io\/nvidia\/pytorch:25\.06$/,
    ] as const,
  ],
  ["a short name", () => "alpine", "not_found", /"alpine"$/, /write docker:\/\/alpine$/],
  [
    "a URI without its colon",
    () => "docker//alpine",
    "not_found",
    /alpine"$/,
    /write docker:\/\/alpine$/,
  ],
  ["a layout and a tag", () => `${layout}:v1`, "not_found", /:v1"$/, /write oci:.*:v1$/],
  [
    "an archive and a tag",
    () => `${writeArchive(scratch, layoutMembers(layout))}:v1`,
    "not_found",
    /:v1"$/,
    /write oci-archive:.*:v1 or docker-archive:.*:v1$/,
  ],
  ["standard input as a dash", () => "-", "not_found", /"-"$/, /write \/dev\/stdin$/],
  ["a path that no image can have", () => "./No Such", "not_found", /No Such"$/, /^$/],
  ["an absolute path", () => join(scratch, "none"), "not_found", /none"$/, /^$/],
  [
    "a link to nothing",
    () => {
      const path = join(scratch, "dangling");
      symlinkSync("gone.tar", path);
      return path;
    },
    "not_found",
    /dangling" is a link to "gone.tar", which does not exist$/,
    /^$/,
  ],
  [
    "a root file system's tar",
    () => writeArchive(scratch, rootFiles),
    "unsupported",
    /holds no image: it is a root file system$/,
    /docker import .* NAME .*then import dockerd:\/\/NAME$/,
  ],
  [
    "a root file system",
    () => {
      const path = join(scratch, "root");
      mkdirSync(join(path, "etc"), { recursive: true });
      mkdirSync(join(path, "usr"));
      return path;
    },
    "unsupported",
    /it is a root file system$/,
    /docker import/,
  ],
  [
    "an archive of a layout's parent directory",
    () => writeArchive(scratch, layoutMembers(layout, "app/")),
    "unsupported",
    /its OCI layout is in the directory "app", not at the top$/,
    /tar -C DIRECTORY/,
  ],
  [
    "an unpacked archive of docker save",
    () => {
      const path = join(scratch, "unpacked");
      mkdirSync(path);
      writeFileSync(join(path, "manifest.json"), "[]");
      return path;
    },
    "unsupported",
    /it looks like an unpacked archive of docker save$/,
    /Pack it again/,
  ],
  [
    "another tar archive",
    () => writeArchive(scratch, [file("README")]),
    "unsupported",
    /denroot does not recognise its content$/,
    /oci:DIRECTORY, oci-archive:FILE.*docker-archive:FILE.*dir:DIRECTORY/,
  ],
  [
    "an empty directory",
    () => {
      const path = join(scratch, "empty");
      mkdirSync(path);
      return path;
    },
    "unsupported",
    /does not recognise its content/,
    /oci:DIRECTORY/,
  ],
  [
    "an empty file",
    () => {
      const path = join(scratch, "empty.tar");
      writeFileSync(path, "");
      return path;
    },
    "unsupported",
    /it is empty$/,
    /may have failed/,
  ],
  [
    "random bytes",
    () => {
      const path = join(scratch, "random");
      writeFileSync(path, Buffer.alloc(10_000, "\x01\x80\xfe"));
      return path;
    },
    "file",
    /is damaged or not a tar archive/,
    /^If the file was cut short, copy it again; .*oci-archive:FILE/,
  ],
  ["a file that cannot be read", () => "/proc/self/mem", "file", /cannot be read: EIO/, /^$/],
];

for (const [what, path, code, message, hint] of OTHERS) {
  test(`${what} gives an error that says what it is`, async () => {
    const error = await errorOf(open(path()));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
  });
}

for (const [program, args] of [["bzip2", ["-k"]], ["xz", ["-k"]]] as const) {
  test(`an archive compressed with ${program} is to be decompressed first`, async () => {
    const path = join(scratch, `${program}.tar`);
    writeFileSync(path, tarArchive(layoutMembers(layout)));
    await runProgram(program, [...args, path]);
    const error = await errorOf(open(`${path}.${program === "xz" ? "xz" : "bz2"}`));
    assert.equal(error.code, "unsupported");
    assert.match(
      error.message,
      new RegExp(`cannot be read: The data is compressed with ${program},`),
    );
    assert.match(error.hint!, /^Decompress it first/);
  });
}

test("an archive of unknown content that has no end may have been cut short", async () => {
  const whole = tarArchive([file("unknown", "x")]);
  const path = writeArchive(scratch, whole.subarray(0, 1024));
  const error = await errorOf(open(path));
  assert.equal(error.code, "unsupported");
  assert.match(error.hint ?? "", /it may have been cut short$/);
});

test("files that are looked at are closed", async () => {
  const path = join(scratch, "squashfs");
  writeFileSync(path, "hsqs and more");
  const before = openFiles();
  for (let turn = 0; turn < 20; turn++) await errorOf(open(path));
  assert.ok(openFiles() < before + 5);
});
