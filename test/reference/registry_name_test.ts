/** Which URIs name a registry alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRegistryName, type RegistryName } from "../../lib/reference/registry_name.ts";

const NAMES: ReadonlyArray<readonly [uri: string, name: RegistryName | undefined]> = [
  ["docker://localhost:5000", { registry: "localhost:5000" }],
  ["docker://localhost", { registry: "localhost" }],
  ["docker://127.0.0.1:5000", { registry: "127.0.0.1:5000" }],
  ["docker://[::1]:5000", { registry: "[::1]:5000" }],
  ["docker://[::1]", { registry: "[::1]" }],
  ["docker://Registry.Example.com", { registry: "registry.example.com" }],
  ["docker://registry.example.com:443/", { registry: "registry.example.com:443" }],
  ["docker://registry/", { registry: "registry" }],
  ["docker://registry:5000/", { registry: "registry:5000" }],
  ["docker://registry#", { registry: "registry" }],
  ["docker://me@registry.example.com", { registry: "registry.example.com", user: "me" }],
  ["docker://me@here@registry/", { registry: "registry", user: "me@here" }],
  ["docker://docker.io", { registry: "registry-1.docker.io" }],
  ["docker://alpine", undefined],
  ["docker://alpine:3.20", undefined],
  ["docker://alpine:5000", undefined],
  ["docker://my.app:1.0", undefined],
  ["docker://localhost/app", undefined],
  ["docker://localhost:5000/app", undefined],
  ["docker://localhost:5000#app", undefined],
  ["docker://library/alpine/", undefined],
  [`docker://alpine@sha256:${"0".repeat(64)}`, undefined],
  ["docker://", undefined],
  ["docker:///", undefined],
  ["dockerd://localhost:5000", undefined],
  ["oci:localhost:5000", undefined],
  ["localhost:5000", undefined],
];

for (const [uri, name] of NAMES) {
  test(`${uri} ${name === undefined ? "names no registry alone" : `is ${name.registry}`}`, () => {
    assert.deepEqual(parseRegistryName(uri), name);
  });
}

test("a wrong host is refused, and a password is not shown", () => {
  for (const uri of ["docker://localhost:99999", "docker://a..b", "docker://-a.b/"]) {
    assert.throws(() => parseRegistryName(uri), { code: "reference" }, uri);
  }
  assert.throws(() => parseRegistryName("docker://me:secret@localhost:5000"), (error: Error) => {
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});
