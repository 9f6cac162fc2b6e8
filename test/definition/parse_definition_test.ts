/** The text of an image definition: what it may say, and the errors for mistakes in it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { type Definition, parseDefinition } from "../../lib/definition/parse_definition.ts";

const VARIABLES: Readonly<Record<string, string>> = { HOME: "/home/me", EMPTY: "", TAG: "3.20" };
const IMAGE = "image docker://alpine:3.20";

function parse(...lines: readonly string[]): Definition {
  return parseDefinition(lines.join("\n"), {
    file: "a.def",
    directory: "/defs",
    lookUp: (name) => VARIABLES[name],
  });
}

function mistakesIn(...lines: readonly string[]): string[] {
  try {
    parse(...lines);
  } catch (error) {
    assert(error instanceof DenrootError, String(error));
    assert.equal(error.code, "definition");
    return error.message.split("\n");
  }
  throw new Error("the definition has no mistake");
}

const LEAST: Definition = {
  file: "a.def",
  image: "docker://alpine:3.20",
  output: "/defs/alpine+3.20.sqsh",
  platform: undefined,
  squashOptions: undefined,
  mounts: [],
  env: [],
  workdir: undefined,
  writable: undefined,
  remapRoot: undefined,
  conf: undefined,
};

const TAKEN: ReadonlyArray<[lines: readonly string[], expected: Partial<Definition>]> = [
  [[IMAGE], {}],
  [["#!/usr/bin/env denroot", "", "  # why", `\t${IMAGE}  `, ""], {}],
  [["image=docker://alpine:3.20"], {}],
  [["image = docker://alpine:3.20 # the small one"], {}],
  [["image docker://alpine:${TAG}"], {}],
  [['image "docker://alpine:$TAG"'], {}],
  [[`${IMAGE}\r`, "platform linux/arm64\r", "\r"], { platform: "linux/arm64" }],
  [["image docker://\\$oauthtoken@nvcr.io#a/b:1"], {
    image: "docker://$oauthtoken@nvcr.io#a/b:1",
    output: "/defs/a+b+1.sqsh",
  }],
  [["image oci:layout:tag"], { image: "oci:/defs/layout:tag", output: "/defs/layout+tag.sqsh" }],
  [["image docker-archive:a.tar"], {
    image: "docker-archive:/defs/a.tar",
    output: "/defs/a.sqsh",
  }],
  [["image oci:/x/layout"], { image: "oci:/x/layout", output: "/defs/layout.sqsh" }],
  [[IMAGE, "output x.sqsh"], { output: "/defs/x.sqsh" }],
  [[IMAGE, "output ../x.sqsh"], { output: "/defs/../x.sqsh" }],
  [[IMAGE, "output ${HOME}/x.sqsh"], { output: "/home/me/x.sqsh" }],
  [[IMAGE, "output ~/x.sqsh"], { output: "/home/me/x.sqsh" }],
  [[IMAGE, "output ${UNSET:-/scratch}/x.sqsh"], { output: "/scratch/x.sqsh" }],
  [[IMAGE, "output 'a  b#c.sqsh'"], { output: "/defs/a  b#c.sqsh" }],
  [["platform linux/arm/v7", IMAGE], { platform: "linux/arm/v7" }],
  [[IMAGE, "squash-options -comp  zstd -Xcompression-level 1"], {
    squashOptions: "-comp zstd -Xcompression-level 1",
  }],
  [[IMAGE, "squash-options -comp xz -Xbcj x86,arm -Xdict-size 50% -b 1M -noI -noId -no-xattrs"], {
    squashOptions: "-comp xz -Xbcj x86,arm -Xdict-size 50% -b 1M -noI -noId -no-xattrs",
  }],
  [[IMAGE, "mount /a:/b", "mount ${HOME}", "mount tmpfs:/t:tmpfs:size=1g,rw:0:-1"], {
    mounts: ["/a:/b", "/home/me", "tmpfs:/t:tmpfs:size=1g,rw:0:-1"],
  }],
  [[IMAGE, "env A=1", "env=B=", "env DISPLAY", 'env C="x  y"'], {
    env: ["A=1", "B=", "DISPLAY", "C=x  y"],
  }],
  [[IMAGE, "workdir /src", "writable yes", "remap-root no", "conf ../job.sh"], {
    workdir: "/src",
    writable: true,
    remapRoot: false,
    conf: "/job.sh",
  }],
];

for (const [lines, expected] of TAKEN) {
  test(`${JSON.stringify(lines)} is a definition`, () => {
    const { lines: _, ...definition } = parse(...lines);
    assert.deepEqual(definition, { ...LEAST, ...expected });
  });
}

const REFUSED: ReadonlyArray<[lines: readonly string[], mistakes: readonly RegExp[]]> = [
  [[""], [/^a\.def, line 1: no line of this definition names the image$/]],
  [["output x"], [/^a\.def, line 1: no line of this definition names the image$/]],
  [[IMAGE, "ouptut x"], [/^a\.def, line 2: "ouptut" is not known; is it "output"\?$/]],
  [[IMAGE, "squash_options x"], [/^a\.def, line 2: .* is it "squash-options"\?$/]],
  [[IMAGE, "squash-options -comp gzip -pf /x"], [
    /^a\.def, line 2: "-pf" is not allowed in a definition; the allowed options are -comp NAME/,
  ]],
  [[IMAGE, "squash-options -action x@true"], [/^a\.def, line 2: "-action" is not allowed/]],
  [[IMAGE, "squash-options -comp gzip --pf"], [/^a\.def, line 2: "--pf" is not allowed/]],
  [[IMAGE, "squash-options -comp"], [/^a\.def, line 2: "-comp" is not allowed/]],
  [[IMAGE, "squash-options -comp -pf /x"], [/^a\.def, line 2: "-pf" is not allowed/]],
  [[IMAGE, "squash-options -p 'x f 755 0 0 touch x'"], [/^a\.def, line 2: "-p" is not allowed/]],
  [[IMAGE, "squash-options -comp lzma"], [/^a\.def, line 2: "-comp lzma" cannot be used: /]],
  [[IMAGE, "squash-options -Xhc x"], [/^a\.def, line 2: "x" is not allowed/]],
  [[IMAGE, "squash-options -b ../x"], [/^a\.def, line 2: "\.\.\/x" is not allowed/]],
  [[IMAGE, "Platform x"], [/^a\.def, line 2: .* is it "platform"\?$/]],
  [[IMAGE, "frobnicate x"], [
    /^a\.def, line 2: "frobnicate" is not known; the names are image, output, platform, squash-options, mount, env, workdir, writable, remap-root, conf$/,
  ]],
  [[IMAGE, "\u001b[2J x"], [/^a\.def, line 2: "\\u\{1b\}\[2J" is not known/]],
  [[IMAGE, "= x"], [/^a\.def, line 2: a line must be NAME VALUE$/]],
  [[IMAGE, "output"], [/^a\.def, line 2: "output" has no value$/]],
  [[IMAGE, "output # here"], [/^a\.def, line 2: "output" has no value$/]],
  [[IMAGE, "output $EMPTY"], [/^a\.def, line 2: "output" has no value$/]],
  [[IMAGE, "", IMAGE], [/^a\.def, line 3: line 1 already has "image"$/]],
  [[IMAGE, "output ${UNSET}/x"], [/^a\.def, line 2: UNSET is not set; .*\$\{UNSET:-DEFAULT\}/]],
  [["image docker://a:$UNSET"], [/^a\.def, line 1: UNSET is not set/]],
  [[IMAGE, "output $(id)"], [/^a\.def, line 2: .* no commands$/]],
  [[IMAGE, "output `id`"], [/^a\.def, line 2: .* no commands$/]],
  [[IMAGE, "output ${UNSET:-$(id)}"], [/^a\.def, line 2: .* no commands$/]],
  [[IMAGE, "output ${HOME%/*}"], [/^a\.def, line 2: a value may have variables /]],
  [[IMAGE, 'output "x'], [/^a\.def, line 2: a double quote is not closed$/]],
  [[IMAGE, "env A=1; rm"], [/^a\.def, line 2: ";" needs quotes around it$/]],
  [["image ./a.tar"], [/"\.\/a\.tar" has no scheme; write oci:PATH, oci-archive:PATH, /]],
  [["image alpine"], [/^a\.def, line 1: "alpine" has no scheme; write docker:\/\/alpine, or oci:/]],
  [["image docker://Alpine"], [/^a\.def, line 1: .*capital letters/]],
  [["image sif:x"], [/^a\.def, line 1: The scheme "sif:" is not supported/]],
  [[IMAGE, "platform arm64"], [/^a\.def, line 2: the platform "arm64" is not linux\/ARCHITECTURE/]],
  [[IMAGE, "platform windows/amd64"], [/^a\.def, line 2: the platform "windows\/amd64" is not/]],
  [[IMAGE, "platform linux/a/b/c"], [/^a\.def, line 2: ".*a\/b\/c" is not an architecture/]],
  [[IMAGE, "mount :/b"], [/^a\.def, line 2: the mount ":\/b" is not SOURCE/]],
  [[IMAGE, "mount /a b"], [/^a\.def, line 2: the mount "\/a b" is not SOURCE/]],
  [[IMAGE, "mount a:b:c:d:e:f:g"], [/^a\.def, line 2: the mount/]],
  [[IMAGE, "env 1A=x"], [/^a\.def, line 2: the variable "1A=x" is not NAME=VALUE/]],
  [[IMAGE, "env A-B=x"], [/^a\.def, line 2: the variable/]],
  [[IMAGE, "workdir src"], [/^a\.def, line 2: the directory "src" does not begin with \/$/]],
  [[IMAGE, "writable true"], [/^a\.def, line 2: "true" is not yes or no$/]],
  [[IMAGE, "remap-root 1"], [/^a\.def, line 2: "1" is not yes or no$/]],
  [["imag x", "output", "platform ${UNSET}"], [
    /^a\.def, line 1: "imag" is not known; is it "image"\?$/,
    /^a\.def, line 2: "output" has no value$/,
    /^a\.def, line 3: UNSET is not set/,
    /^a\.def, line 1: no line of this definition names the image$/,
  ]],
];

for (const [lines, expected] of REFUSED) {
  test(`${JSON.stringify(lines)} has mistakes`, () => {
    const mistakes = mistakesIn(...lines);
    assert.equal(mistakes.length, expected.length, mistakes.join("\n"));
    for (const [index, mistake] of mistakes.entries()) assert.match(mistake, expected[index]!);
  });
}

test("a layout below a directory with a colon in its name is refused, as the path would end there", () => {
  assert.throws(
    () => parseDefinition("image oci:x", { file: "f", directory: "/a:b", lookUp: () => "" }),
    /f, line 1: the path "\/a:b\/x" contains a colon/,
  );
});
