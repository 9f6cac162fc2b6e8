/** Tests of parsing an image's configuration. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DenrootError } from "../../lib/errors.ts";
import { parseConfig } from "../../lib/oci/parse_config.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;
const ROOTFS = { type: "layers", diff_ids: [DIGEST] };

function parse(value: unknown) {
  return parseConfig(new TextEncoder().encode(JSON.stringify(value)));
}

test("a complete configuration is read", () => {
  const config = {
    architecture: "arm64",
    os: "linux",
    variant: "v8",
    created: "2026-01-01T00:00:00Z",
    config: {
      Env: ["A=b"],
      Entrypoint: ["/init"],
      Cmd: ["sh", "-c", "x"],
      WorkingDir: "/work",
      Volumes: { "/data": {} },
      Labels: { "__proto__x": "y", a: "b\nc", empty: null },
    },
    rootfs: ROOTFS,
  };
  assert.deepEqual(parse(config), {
    architecture: "arm64",
    os: "linux",
    variant: "v8",
    created: "2026-01-01T00:00:00Z",
    diffIds: [DIGEST],
    env: ["A=b"],
    entrypoint: ["/init"],
    cmd: ["sh", "-c", "x"],
    workingDir: "/work",
    volumes: ["/data"],
    labels: { "__proto__x": "y", a: "b\nc", empty: "" },
  });
});

const NOTHING = {
  diffIds: [],
  env: [],
  entrypoint: [],
  cmd: [],
  workingDir: "",
  volumes: [],
  labels: {},
};

test("fields that are null or missing count as empty, as in Go", () => {
  assert.deepEqual(parse({ rootfs: { diff_ids: null } }), NOTHING);
  const config = { Env: null, Entrypoint: null, Cmd: null, Volumes: null, Labels: null };
  assert.deepEqual(parse({ config, rootfs: {}, architecture: "", os: null }), NOTHING);
});

test("a configuration whose every field is null is that of an image without layers", () => {
  const names = ["architecture", "os", "variant", "created", "config", "rootfs", "history"];
  assert.deepEqual(parse(Object.fromEntries(names.map((name) => [name, null]))), NOTHING);
});

test("a command that is a string becomes a list of one", () => {
  assert.deepEqual(parse({ config: { Entrypoint: "/init" }, rootfs: ROOTFS }).entrypoint, [
    "/init",
  ]);
});

test("a label with the name __proto__ is an ordinary label", () => {
  const config = JSON.parse('{"Labels":{"__proto__":"x"}}');
  assert.deepEqual(Object.entries(parse({ config, rootfs: ROOTFS }).labels), [["__proto__", "x"]]);
});

const REFUSED: readonly (readonly [value: unknown, text: RegExp])[] = [
  [{}, /"rootfs" must be an object/],
  [{ rootfs: { diff_ids: ["sha256:x"] } }, /"sha256:x" is not a digest/],
  [{ rootfs: { diff_ids: [1] } }, /"diff_ids" must be an array of strings/],
  [{ rootfs: { diff_ids: {} } }, /"diff_ids" must be an array/],
  [{ rootfs: { diff_ids: Array(10_001).fill(DIGEST) } }, /10001 layers; the limit is 10000/],
  [{ rootfs: ROOTFS, config: [] }, /"config" must be an object/],
  [{ rootfs: ROOTFS, config: { Env: "A=b" } }, /"Env" must be an array/],
  [{ rootfs: ROOTFS, config: { Env: [1] } }, /"Env" must be an array of strings/],
  [{ rootfs: ROOTFS, config: { Cmd: 1 } }, /"Cmd" must be an array/],
  [
    { rootfs: ROOTFS, config: { Labels: { a: 1 } } },
    /"Labels" must be an object whose values are all strings/,
  ],
  [{ rootfs: ROOTFS, config: { WorkingDir: 1 } }, /"WorkingDir" must be a string/],
  [{ rootfs: ROOTFS, architecture: 1 }, /"architecture" must be a string/],
  ["text", /must be an object/],
];

for (const [value, text] of REFUSED) {
  test(`an invalid configuration is refused: ${text.source}`, () => {
    assert.throws(() => parse(value), (error: unknown) => {
      assert.ok(error instanceof DenrootError);
      assert.match(error.message, text);
      return true;
    });
  });
}
