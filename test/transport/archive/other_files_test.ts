/** Files that are no image: the error says what they are and what to do, by any scheme. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Reference } from "../../../lib/types/reference.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { file, tarArchive } from "../../helpers/tar_fixture.ts";
import { errorOf, makeContext, openImage } from "./archive_tests.ts";

const scratch = scratchDirectory("other-files");
const context = makeContext(scratch);
const DEFINITION = "image docker://alpine\noutput a.sqsh\n";

/** [the content, what the message calls it, the hint] */
const KINDS: ReadonlyArray<readonly [content: string | Buffer, what: string, hint: RegExp]> = [
  [`#!/usr/bin/env denroot\n${DEFINITION}`, "an image definition", /^Run it: denroot \/.*\/file$/],
  [`#!/opt/bin/denroot-linux-x64 --debug\n`, "an image definition", /^Run it/],
  [`#!/usr/bin/enroot\r\n${DEFINITION}`, "an image definition", /^Run it/],
  ["#!/usr/bin/enroot batch\n#ENROOT_ROOTFS=a.sqsh\n", "a script", /^Run it/],
  ["#!/bin/sh\ndenroot import x\n", "a script", /^Run it/],
  ["FROM alpine\nRUN true\n", "a Dockerfile", /docker build/],
  ["# syntax=docker/dockerfile:1\n\nARG V=1\nFROM alpine:$V\n", "a Dockerfile", /docker build/],
  ["<!DOCTYPE html>\n<title>Log in</title>", "a web page", /fetch the image again/],
  ["<!-- a proxy -->\n<html>", "a web page", /fetch the image again/],
  ['<?xml version="1.0"?><Error/>', "an XML text", /look into it/],
  ['{"schemaVersion":2}', "a JSON text", /archive that holds it/],
  ['[\n  {"Config":"x"}]', "a JSON text", /archive that holds it/],
  ["version https://git-lfs.github.com/spec/v1\noid x\n", "a pointer of Git LFS", /git lfs pull/],
  ["curl: (22) 404\n", "a text", /may have failed/],
  [`${"x".repeat(511)}é and more`, "a text", /may have failed/],
  ["hsqs\0\0", "a squashfs image", /enroot create/],
  [`${"\0".repeat(32)}SIF_MAGIC\0`, "a Singularity image (SIF)", /from which it was built/],
  ["PK\x03\x04\0", "a ZIP archive", /Unpack it/],
  ["\x7fELF\x02\0", "a program", /holds it/],
  ["QFI\xfb\0", "the disk of a virtual machine (qcow2)", /no container image/],
  [`${"\0".repeat(0x8001)}CD001\0`, "an ISO 9660 image", /no container image/],
];

for (const [content, what, hint] of KINDS) {
  test(`${JSON.stringify(content.toString()).slice(0, 60)} is ${what}`, async () => {
    const path = join(scratch, "file");
    const isText = /[^\0-\xff]|é/.test(content.toString());
    writeFileSync(path, Buffer.from(content.toString(), isText ? "utf8" : "latin1"));
    const references: readonly Reference[] = [
      { scheme: "path", path },
      { scheme: "oci-archive", path },
      { scheme: "docker-archive", path },
    ];
    for (const reference of references) {
      const error = await errorOf(openImage(reference, context));
      assert.equal(error.code, "unsupported");
      assert.equal(error.message, `"${path}" is ${what}, not a container image`);
      assert.match(error.hint ?? "", hint);
    }
  });
}

/** Archives whose beginning reads like something else, and damaged ones, are no texts. */
const ARCHIVES: ReadonlyArray<readonly [what: string, bytes: Buffer]> = [
  ["an archive whose first file is named like a script", tarArchive([file("#!denroot", "x")])],
  ["an archive whose first file is named FROM", tarArchive([file("FROM alpine", "x")])],
  ["an archive that was cut in its first block", tarArchive([file("a", "x")]).subarray(0, 300)],
];

for (const [what, bytes] of ARCHIVES) {
  test(`${what} is read as an archive`, async () => {
    const path = join(scratch, "archive");
    writeFileSync(path, bytes);
    const { message } = await errorOf(openImage({ scheme: "path", path }, context));
    assert.match(message, /holds no image|is damaged or not a tar archive/);
  });
}
