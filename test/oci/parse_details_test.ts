/** Tests that all fields shown to people are checked as carefully as those that an import uses. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../lib/oci/parse_config.ts";
import { parseDetails } from "../../lib/oci/parse_details.ts";

const rootfs = { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] };

function bytes(config: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(config));
}

test("all fields of a configuration are read", () => {
  const config = bytes({
    author: "A. Person",
    docker_version: "20.10",
    rootfs,
    config: {
      User: "1000",
      ExposedPorts: { "80/tcp": {}, "53/udp": {} },
      StopSignal: "SIGINT",
      Env: ["A=b"],
    },
    history: [
      { created: "2024-01-02T03:04:05Z", created_by: "a", author: "b", comment: "c" },
      { empty_layer: true },
    ],
  });
  assert.deepEqual(parseDetails(config), {
    ...parseConfig(config),
    author: "A. Person",
    dockerVersion: "20.10",
    user: "1000",
    exposedPorts: ["80/tcp", "53/udp"],
    stopSignal: "SIGINT",
    history: [
      {
        created: "2024-01-02T03:04:05Z",
        createdBy: "a",
        author: "b",
        comment: "c",
        emptyLayer: false,
      },
      { emptyLayer: true },
    ],
  });
});

test("fields that are null or empty count as absent", () => {
  for (const more of [{}, { history: null, config: null, author: "" }, { config: { User: "" } }]) {
    assert.deepEqual(parseDetails(bytes({ rootfs, ...more })), {
      ...parseConfig(bytes({ rootfs })),
      exposedPorts: [],
      history: [],
    });
  }
});

const WRONG: ReadonlyArray<readonly [config: Readonly<Record<string, unknown>>, error: RegExp]> = [
  [{ history: {} }, /"history" must be an array/],
  [{ history: [1] }, /history entry 1 is invalid: it must be an object/],
  [{ history: [{}, { empty_layer: "yes" }] }, /entry 2 .* "empty_layer" must be true or false/],
  [{ config: { ExposedPorts: ["80"] } }, /"ExposedPorts" must be an object/],
  [{ config: { User: 0 } }, /"User" must be a string/],
  [{ author: [] }, /"author" must be a string/],
];

test("the message names the field that has a wrong type", () => {
  for (const [config, message] of WRONG) {
    assert.throws(() => parseDetails(bytes({ rootfs, ...config })), { code: "manifest", message });
  }
});

test("a history that is too long is refused", () => {
  const history = Array.from({ length: 100_001 }, () => ({}));
  assert.throws(() => parseDetails(bytes({ rootfs, history })), { code: "limit" });
});
