/** Which manifest of an index is taken. */

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

/** Entries by their platforms, told apart by their size; `-` has none. */
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
];

for (const [wanted, offered, chosen] of TABLE) {
  test(`${wanted} among "${offered}" is number ${chosen}`, () => {
    assert.equal(choosePlatform(entriesOf(offered), platformOf(wanted)).size, chosen);
  });
}

const NO_MATCH: readonly (readonly [wanted: string, offered: string, list: string])[] = [
  ["linux/amd64", "linux/arm64/v8 linux/s390x", "linux/arm64/v8, linux/s390x"],
  ["linux/amd64", "linux/arm64 linux/arm64", "linux/arm64"],
  ["linux/amd64", "unknown/unknown", "none for any platform"],
  ["linux/amd64", "", "none for any platform"],
  ["linux/amd64", "- -", "?/?"],
  ["linux/arm/v6", "linux/arm/v7", "linux/arm/v7"],
  ["linux/amd64", "linux/\u001b[31m", "linux/\\u{1b}[31m"],
];

for (const [wanted, offered, list] of NO_MATCH) {
  test(`no ${wanted} among "${list}" is an error that lists what there is`, () => {
    assert.throws(
      () => choosePlatform(entriesOf(offered), platformOf(wanted)),
      (error: unknown) => {
        assert.ok(error instanceof DenrootError);
        assert.equal(error.code, "platform");
        assert.equal(error.message, `No image for ${wanted}; there is ${list}`);
        return true;
      },
    );
  });
}

test("an attestation that claims a platform is known by its annotation", () => {
  const [attestation, image] = entriesOf("linux/amd64 linux/amd64");
  const annotations = { "vnd.docker.reference.type": "attestation-manifest" };
  const entries = [{ ...attestation!, annotations }, image!];
  assert.equal(choosePlatform(entries, platformOf("linux/amd64")).size, 1);
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
  test(`the architecture ${text} is ${expected}`, () => {
    const { architecture, variant } = parseArchitecture(text);
    assert.equal([architecture, variant].filter(Boolean).join("/"), expected);
  });
}

for (const text of ["", "a b", "x/y/z", "arm/", "../..", "\u001b[31m", "x".repeat(33)]) {
  test(`${JSON.stringify(text)} is no architecture`, () => {
    assert.throws(() => parseArchitecture(text), /Not an architecture/);
  });
}
