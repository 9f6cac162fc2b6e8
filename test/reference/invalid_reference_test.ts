/** Bad references: the error names the character and the broken rule. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { parseReference } from "../../lib/reference/parse_reference.ts";

const HEX = "0123456789abcdef".repeat(4);

/** [text, character that the error names (from 1), part of the rule] */
const WRONG: ReadonlyArray<[string, number, RegExp]> = [
  ["docker:alpine", 1, /docker:\/\//],
  ["DOCKER://alpine", 1, /docker:\/\//],
  ["OCI:dir", 1, /"oci:"/],
  ["docker://", 10, /name is empty/],
  ["docker://@alpine", 10, /user/],
  ["docker://a b@alpine", 11, /user/],
  ["docker://#alpine", 10, /registry is empty/],
  ["docker://nvcr.io#", 18, /name is empty/],
  ["docker://nvcr.io/", 18, /name is empty/],
  ["docker://a#b#c", 13, /consists of/],
  ["docker://Alpine", 10, /capital letters/],
  ["docker://nvcr.io#nvidia/PyTorch", 25, /capital letters/],
  ["docker://alpine:", 17, /tag after/],
  ["docker://alpine:.x", 17, /begins with/],
  ["docker://alpine:-x", 17, /begins with/],
  ["docker://alpine:a/b", 17, /port/],
  ["docker://n/alpine:a/b", 20, /tag consists/],
  ["docker://n/alpine:a:b", 20, /tag consists/],
  ["docker://n/alpine:../../x", 21, /tag consists/],
  ["docker://a//b", 12, /empty/],
  ["docker://a/b/", 14, /empty/],
  ["docker:///a", 10, /empty/],
  ["docker://a/../b", 12, /between letters/],
  ["docker://a/.b", 12, /between letters/],
  ["docker://a/b-", 13, /between letters/],
  ["docker://a/b..c", 13, /between letters/],
  ["docker://a/b___c", 13, /between letters/],
  ["docker://host:0/a", 15, /port/],
  ["docker://host:65536/a", 15, /port/],
  ["docker://host:/a", 15, /port/],
  ["docker://host:x/a", 15, /port/],
  ["docker://-a.b/c", 10, /parts of a host/],
  ["docker://a-.b/c", 11, /parts of a host/],
  ["docker://a..b/c", 12, /parts of a host/],
  ["docker://.a/c", 10, /parts of a host/],
  ["docker://a.b./c", 14, /parts of a host/],
  ["docker://[::1/c", 14, /]/],
  ["docker://[::g]/c", 11, /IPv6/],
  ["docker://[::1]5000/c", 15, /port/],
  ["docker://::1/c", 10, /brackets/],
  ["docker://alpine@sha256:abc", 27, /64/],
  ["docker://alpine@3.20", 16, /is a user/],
  ["docker://nvcr.io/nvidia/x@v25.06-py3", 26, /is a user/],
  ["docker://nvcr.io#nvidia/x@latest", 26, /is a user/],
  ["docker://alpine@sha1:abc", 16, /is a user/],
  [`docker://alpine@SHA256:${HEX}`, 16, /is a user/],
  [`docker://alpine@${HEX}`, 16, /is a user/],
  [`docker://alpine@sha256:${HEX}0`, 88, /64/],
  [`docker://alpine@sha256:${HEX.toUpperCase()}`, 34, /lower-case/],
  ["docker://alpine@sha256:../../etc/passwd", 24, /64/],
  ["docker://alpine@sha256:", 24, /64/],
  ["docker://alpine@sha384:00", 17, /sha256: or sha512:/],
  [`docker://${"a".repeat(256)}`, 265, /at most 255/],
  [`docker://a:${"t".repeat(129)}`, 140, /at most 128/],
  ["docker://al\npine", 12, /control/],
  ["docker://al\u001b[2Jpine", 12, /control/],
  ["docker://alpine\u202e", 16, /control/],
  ["docker://alpi\u00e9", 14, /consists of/],
  ["oci:", 5, /path/],
  ["oci::tag", 5, /path/],
  ["oci:dir:", 9, /tag/],
  ["oci:dir:a b", 10, /tag in a layout/],
  ["oci:dir@sha256:00", 18, /64/],
  ["oci://ghcr.io/x", 5, /directory/],
  ["oci:dir:@", 10, /counted from 0/],
  ["oci:dir:@-1", 10, /counted from 0/],
  ["oci:dir:@1x", 10, /counted from 0/],
  [`oci:dir:@1@sha256:${HEX}`, 11, /not by both/],
  ["oci-archive:", 13, /path/],
  ["oci-archive:x.tar:", 19, /tag/],
  ["oci-archive://x.tar", 13, /path of a file/],
  ["docker-archive:", 16, /path/],
  ["docker-archive://x.tar", 16, /path of a file/],
  ["docker-archive:x.tar:", 22, /name is empty/],
  ["docker-archive:x.tar:@", 23, /counted from 0/],
  ["docker-archive:x.tar:@1234567890", 23, /counted from 0/],
  ["docker-archive:x.tar:Alpine", 22, /capital letters/],
  ["docker-archive:x.tar:alpine:", 29, /tag after/],
  [`docker-archive:x.tar:alpine@sha256:${HEX}`, 28, /no digests/],
  ["dir:", 5, /path/],
  ["dir://x", 5, /path of a directory/],
  ["dockerd:alpine", 1, /"dockerd:\/\/"/],
  ["Podman://alpine", 1, /"podman:\/\/"/],
  ["dockerd://", 11, /name is empty/],
  ["podman://al pine", 12, /consists of/],
  ["podman://Alpine", 10, /capital letters/],
  ["podman://alpine:", 17, /tag after/],
  ["docker-daemon://alpine", 15, /empty/],
  ["docker-daemon:sha256:abc", 25, /64/],
  ["docker-daemon:alpine@sha256:abc", 32, /64/],
  ["containers-storage:", 20, /name is empty/],
  ["containers-storage:[/root", 26, /"]"/],
  ["containers-storage:[]alpine", 21, /absolute path/],
  ["containers-storage:[root]alpine", 21, /absolute path/],
  ["containers-storage:[@/root]alpine", 21, /driver/],
  ["containers-storage:[overlay@]alpine", 29, /absolute path/],
  ["containers-storage:[/root+]alpine", 27, /absolute path/],
  ["containers-storage:[/root+run]alpine", 27, /absolute path/],
  ["containers-storage:[/root]", 27, /name is empty/],
  ["containers-storage:alpine@", 27, /ID/],
  ["containers-storage:alpine@xyz", 27, /ID/],
  ["containers-storage:@ab", 23, /ID/],
  [`containers-storage:@${HEX}0`, 85, /ID/],
  ["ostree:", 8, /name is empty/],
  ["ostree:@/repo", 8, /name is empty/],
  ["ostree:alpine@repo", 14, /consists of/],
];

for (const [text, character, rule] of WRONG) {
  test(`the error names character ${character} of ${JSON.stringify(text).slice(0, 90)}`, () => {
    assert.throws(() => parseReference(text), (error: unknown) => {
      assert(error instanceof DenrootError);
      assert.equal(error.code, "reference");
      assert.match(error.message, new RegExp(`at character ${character}\\)`));
      assert.match(error.message, rule);
      assert.doesNotMatch(error.message, /\p{Cc}/u);
      return true;
    });
  });
}

const FOREIGN = ["http://x/y", "sif:x.sif", "tarball:x.tar", "atomic://x"];

for (const text of FOREIGN) {
  test(`the error for ${text} says what to write instead`, () => {
    assert.throws(
      () => parseReference(text),
      (error: unknown) =>
        error instanceof DenrootError && error.code === "unsupported" &&
        /docker:\/\/.* or the path/.test(error.hint ?? ""),
    );
  });
}

for (
  const [text, meant] of [["docker:alpine", "docker://alpine"], ["OCI://a:b", "oci:a:b"]] as const
) {
  test(`the error for ${text} says how that is written`, () => {
    assert.throws(
      () => parseReference(text),
      (error: unknown) => error instanceof DenrootError && error.hint === `Write ${meant}`,
    );
  });
}

const PASSWORDS = [
  "docker://me:hunter2@nvcr.io#a",
  "docker://me:hun@hunter2@nvcr.io#Bad",
  "docker://me%3ahunter2@nvcr.io/a",
  "docker://me:hunter2#a",
  "docker://me:hun\nhunter2@h/a",
  `docker://me:hunter2@h/a@sha256:${HEX}0`,
  "docker:me:hunter2@h/a",
  "dockerd://me:hunter2@h/a",
  "podman://me:hunter2@h/a",
  "oci://me:hunter2@h/a",
  "https://me:hunter2@h/a",
  "me:hunter2@h/a",
];

for (const text of PASSWORDS) {
  test(`the error for ${JSON.stringify(text)} says where a password goes, and shows none`, () => {
    assert.throws(() => parseReference(text), (error: unknown) => {
      assert(error instanceof DenrootError);
      assert.equal(error.code, "reference");
      assert.match(error.message, /holds a password/);
      assert.match(error.hint ?? "", /\.credentials/);
      assert.doesNotMatch(`${error.message} ${error.hint} ${error.stack}`, /hun|at character/);
      return true;
    });
  });
}

test("a reference that is too long is refused", () => {
  assert.throws(() => parseReference(`oci:${"x".repeat(5000)}`), DenrootError);
});

test("a version behind @ gets the hint with the image that was meant", () => {
  for (
    const [text, hint] of [
      ["docker://alpine@3.20", "For a tag write docker://alpine:3.20"],
      ["docker://r.io#a/b@latest", "For a tag write docker://r.io#a/b:latest"],
      [`docker://a/b@${HEX}`, "For a digest write docker://a/b@sha256: and 64"],
    ] as const
  ) {
    assert.throws(() => parseReference(text), (error: DenrootError) => {
      assert.equal((error.hint ?? "").slice(0, hint.length), hint);
      return true;
    });
  }
});
