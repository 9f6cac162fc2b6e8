/** Tests which manifest of an index is chosen. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { parseArchitecture } from "../../lib/oci/architecture.ts";
import { choosePlatform } from "../../lib/oci/choose_platform.ts";
import type { Descriptor, Platform } from "../../lib/types/image.ts";

function platformOf(text: string): Platform {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant && { variant }) };
}

/** Makes an entry for each platform; `-` is an entry without one. An entry's size is its position. */
function entriesOf(text: string): readonly Descriptor[] {
  return text.split(" ").filter((name) => name !== "").map((name, size) => ({
    mediaType: "",
    digest: "",
    size,
    ...(name !== "-" && { platform: platformOf(name) }),
  }));
}

const TABLE: readonly (readonly [wanted: string, offered: string, chosen: number])[] = [
  ["linux/amd64", "linux/arm64 linux/amd64", 1],
  ["linux/amd64", "linux/amd64 linux/amd64", 0],
  ["linux/amd64", "windows/amd64 linux/amd64", 1],
  ["linux/amd64", "unknown/unknown linux/amd64 unknown/unknown", 1],
  ["linux/amd64", "linux/amd64/v3 linux/amd64", 1],
  ["linux/amd64", "linux/amd64/v3 linux/amd64/v2", 1],
  ["linux/amd64", "linux/amd64/v1", 0],
  ["linux/amd64/v3", "linux/amd64 linux/amd64/v2 linux/amd64/v4", 1],
  ["linux/arm64", "linux/arm/v7 linux/arm64/v8", 1],
  ["linux/arm64/v8", "linux/arm/v7 linux/arm64", 1],
  ["linux/arm64", "linux/arm64 linux/arm64/v8", 0],
  ["linux/arm", "linux/arm/v6 linux/arm/v7", 1],
  ["linux/arm", "linux/arm/v5 linux/arm/v6", 1],
  ["linux/arm/v6", "linux/arm/v7 linux/arm/v6 linux/arm/v5", 1],
  ["linux/ppc64le", "linux/ppc64le/power9", 0],
  ["linux/amd64", "-", 0],
  ["linux/amd64", "unknown/unknown -", 1],
  ["linux/amd64", "- linux/amd64", 1],
  ["linux/amd64", "/amd64", 0],
  ["linux/arm64/v8.2", "linux/arm64/v8.1", 0],
];

for (const [wanted, offered, chosen] of TABLE) {
  test(`for ${wanted}, entry ${chosen} of "${offered}" is chosen`, () => {
    assert.equal(choosePlatform(entriesOf(offered), platformOf(wanted)).size, chosen);
  });
}

const NO_MATCH: readonly (readonly [wanted: string, offered: string, rest: string])[] = [
  ["linux/amd64", "linux/arm64/v8 linux/s390x", "only for linux/arm64/v8, linux/s390x"],
  ["linux/amd64", "linux/arm64 linux/arm64", "only for linux/arm64"],
  ["linux/amd64", "unknown/unknown", "nor for any other platform"],
  ["linux/amd64", "", "nor for any other platform"],
  ["linux/amd64", "- -", "only for ?/?"],
  ["linux/arm/v6", "linux/arm/v7", "only for linux/arm/v7"],
  ["linux/amd64", "linux/\u001b[31m", "only for linux/\\u{1b}[31m"],
];

for (const [wanted, offered, rest] of NO_MATCH) {
  test(`no entry of "${offered}" is for ${wanted}: the message ends with "${rest}"`, () => {
    assert.throws(
      () => choosePlatform(entriesOf(offered), platformOf(wanted)),
      (error: unknown) => {
        assert.ok(error instanceof DenrootError);
        assert.equal(error.code, "platform");
        assert.equal(error.message, `There is no image for ${wanted}, ${rest}`);
        return true;
      },
    );
  });
}

test("the message names the platforms of the outer indexes too, but no attestations", () => {
  const outer = entriesOf("linux/s390x unknown/unknown -");
  assert.throws(
    () => choosePlatform(entriesOf("linux/arm64"), platformOf("linux/amd64"), outer),
    { message: "There is no image for linux/amd64, only for linux/s390x, linux/arm64" },
  );
});

test("an attestation with a real platform is recognised by its annotation", () => {
  const [attestation, image] = entriesOf("linux/amd64 linux/amd64");
  const annotations = { "vnd.docker.reference.type": "attestation-manifest" };
  const entries = [{ ...attestation!, annotations }, image!];
  assert.equal(choosePlatform(entries, platformOf("linux/amd64")).size, 1);
});

const NYDUS = { features: ["nydus.remoteimage.v1"] };
const SOCI = { artifactType: "application/vnd.amazon.soci.index.v2+json" };

test("images with features and artifacts are chosen only when there is nothing else", () => {
  const [first, ordinary] = entriesOf("linux/amd64 linux/amd64/v2");
  const special = [
    { ...first!, platform: { ...first!.platform!, ...NYDUS } },
    { ...first!, ...SOCI },
  ];
  for (const entry of special) {
    assert.equal(choosePlatform([entry, ordinary!], platformOf("linux/amd64")), ordinary);
    assert.equal(choosePlatform([entry], platformOf("linux/amd64")), entry);
  }
  const image = { ...first!, artifactType: "application/vnd.oci.image.config.v1+json" };
  assert.equal(choosePlatform([image, ordinary!], platformOf("linux/amd64")), image);
  const { platform: _, ...unsaid } = ordinary!;
  assert.equal(choosePlatform([{ ...unsaid, ...SOCI }, unsaid], platformOf("linux/amd64")), unsaid);
});

test("the hint names --arch only where it can choose another image", () => {
  const hintFor = (offered: string) => {
    try {
      choosePlatform(entriesOf(offered), platformOf("linux/amd64"));
    } catch (error) {
      return (error as DenrootError).hint;
    }
    throw new Error("An entry was chosen");
  };
  assert.match(hintFor("windows/amd64 linux/arm64") ?? "", /--arch/);
  assert.equal(hintFor("windows/amd64 windows/arm64"), undefined);
  assert.equal(hintFor("- -"), undefined);
});

const ARCHITECTURES: readonly (readonly [text: string, expected: string])[] = [
  ["x86_64", "amd64"],
  ["amd64", "amd64"],
  ["AMD64", "amd64"],
  ["linux/amd64", "amd64"],
  ["amd64/v3", "amd64/v3"],
  ["aarch64", "arm64"],
  ["arm64", "arm64"],
  ["arm64/v8", "arm64/v8"],
  ["linux/arm64/v8", "arm64/v8"],
  ["armv7l", "arm/v7"],
  ["armv6l", "arm/v6"],
  ["arm/v7", "arm/v7"],
  ["armhf", "arm/v7"],
  ["i686", "386"],
  ["ppc64le", "ppc64le"],
  ["s390x", "s390x"],
  ["riscv64", "riscv64"],
  ["loongarch64", "loong64"],
  ["newarch", "newarch"],
];

for (const [text, expected] of ARCHITECTURES) {
  test(`the architecture ${text} becomes ${expected}`, () => {
    const { architecture, variant } = parseArchitecture(text);
    assert.equal([architecture, variant].filter(Boolean).join("/"), expected);
  });
}

for (const text of ["", "a b", "x/y/z", "arm/", "../..", "\u001b[31m", "x".repeat(33)]) {
  test(`${JSON.stringify(text)} is not an architecture`, () => {
    assert.throws(() => parseArchitecture(text), / is not an architecture$/);
  });
}
