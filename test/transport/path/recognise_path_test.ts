/** What lies at a path is known by its content. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
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

test("directories: a layout, and what skopeo copied to dir:", async () => {
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

for (const [form, make] of FORMS) {
  test(`archives, ${form}: a layout, and what docker save wrote in its time`, async () => {
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

/** Docker 25.0 wrote manifests that lack their layers beside the old list. */
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

test("a layout for several platforms beside docker save's list is read for the wanted one", async () => {
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

test("what a layout has beside the image of docker save's list does not matter", async () => {
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
  assert.match(error.message, /may be one of several images$/);
  assert.equal(
    error.hint,
    `Say which is meant: oci-archive:${archive} or docker-archive:${archive}`,
  );
});

test("a directory that is a layout and skopeo's too is ambiguous", async () => {
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

/** [what, its path, code, message, hint] */
const OTHERS: readonly (readonly [string, () => string, string, RegExp, RegExp])[] = [
  [
    "nothing, but a name that a registry may know",
    () => "nvcr.io/nvidia/pytorch:25.06",
    ...[
      "not_found",
      /no file or directory "nvcr\.io\/nvidia\/pytorch:25\.06"$/,
      /write docker:\/\/nvcr\.io\/nvidia\/pytorch:25\.06$/,
    ] as const,
  ],
  ["a name alone", () => "alpine", "not_found", /"alpine"$/, /write docker:\/\/alpine$/],
  ["a layout and a tag", () => `${layout}:v1`, "not_found", /:v1"$/, /write oci:.*:v1$/],
  [
    "an archive and a tag",
    () => `${writeArchive(scratch, layoutMembers(layout))}:v1`,
    "not_found",
    /:v1"$/,
    /write oci-archive:.*:v1 or docker-archive:.*:v1$/,
  ],
  [
    "a squashfs image",
    () => {
      const path = join(scratch, "image.sqsh");
      writeFileSync(path, "hsqs and more");
      return path;
    },
    "unsupported",
    /is a squashfs image already$/,
    /enroot create/,
  ],
  [
    "a root file system's tar",
    () => writeArchive(scratch, rootFiles),
    "unsupported",
    /holds no image: it is a root file system$/,
    /docker import .* NAME, then import dockerd:\/\/NAME/,
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
    "a layout that was packed with its directory",
    () => writeArchive(scratch, layoutMembers(layout, "app/")),
    "unsupported",
    /has an OCI layout, but below "app"$/,
    /tar -C DIRECTORY/,
  ],
  [
    "an archive of docker save that was unpacked",
    () => {
      const path = join(scratch, "unpacked");
      mkdirSync(path);
      writeFileSync(join(path, "manifest.json"), "[]");
      return path;
    },
    "unsupported",
    /archive of docker save that was unpacked$/,
    /Pack it again/,
  ],
  [
    "some other tar",
    () => writeArchive(scratch, [file("README")]),
    "unsupported",
    /none of the kinds that denroot knows$/,
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
    /none of the kinds/,
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
    "text",
    () => {
      const path = join(scratch, "text");
      writeFileSync(path, "some text ".repeat(1000));
      return path;
    },
    "file",
    /is no tar archive, or is damaged/,
    /oci-archive:FILE/,
  ],
];

for (const [what, path, code, message, hint] of OTHERS) {
  test(`${what} is called what it is`, async () => {
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
