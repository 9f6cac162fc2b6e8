/** The WWW-Authenticate header, as servers write it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseChallenges } from "../../../../lib/transport/registry/auth/challenge.ts";

type Expected = readonly (readonly [scheme: string, parameters: Record<string, string>])[];

const TABLE: readonly (readonly [title: string, values: readonly string[], expected: Expected])[] =
  [
    [
      "Docker Hub's form",
      ['Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="a:b:pull"'],
      [["bearer", {
        realm: "https://auth.docker.io/token",
        service: "registry.docker.io",
        scope: "a:b:pull",
      }]],
    ],
    ["spaces after commas", ['Bearer realm="r",  service="s" , scope="c"'], [
      ["bearer", { realm: "r", service: "s", scope: "c" }],
    ]],
    ["any order of parameters", ['Bearer scope="c",service="s",realm="r"'], [
      ["bearer", { scope: "c", service: "s", realm: "r" }],
    ]],
    ["spaces around the sign", ['Bearer realm = "r" , service= "s"'], [
      ["bearer", { realm: "r", service: "s" }],
    ]],
    ["names in capitals", ['BEARER Realm="r",SERVICE="s"'], [
      ["bearer", { realm: "r", service: "s" }],
    ]],
    ["commas inside quotes", ['Bearer realm="r",scope="a:b:pull,push c:d:pull"'], [
      ["bearer", { realm: "r", scope: "a:b:pull,push c:d:pull" }],
    ]],
    ["quoted quotes", ['Basic realm="say \\"hi\\", \\\\o"'], [["basic", {
      realm: 'say "hi", \\o',
    }]]],
    ["no quotes", ["Basic realm=x, charset=UTF-8"], [["basic", { realm: "x", charset: "UTF-8" }]]],
    ["no parameters", ["Basic"], [["basic", {}]]],
    ["two in one header", ['Basic realm="a", Bearer realm="b",service="c"'], [
      ["basic", { realm: "a" }],
      ["bearer", { realm: "b", service: "c" }],
    ]],
    ["two headers", ['Bearer realm="b"', 'Basic realm="a"'], [
      ["bearer", { realm: "b" }],
      ["basic", { realm: "a" }],
    ]],
    ["a token68", ['Negotiate YWJj==, Basic realm="a"'], [
      ["negotiate", { ywjj: "=" }],
      ["basic", { realm: "a" }],
    ]],
    ["a name twice", ['Bearer realm="first",realm="second"'], [["bearer", { realm: "first" }]]],
    ["a quote that never ends", ['Bearer realm="r'], [["bearer", { realm: "r" }]]],
    ["nothing", [""], []],
    ["a parameter before any scheme", ['realm="r"'], []],
  ];

for (const [title, values, expected] of TABLE) {
  test(`a challenge with ${title} is read`, () => {
    const found = parseChallenges(values)
      .map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
    assert.deepEqual(found, expected);
  });
}

test("no header makes the parser throw or hang", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.array(fc.constantFrom("Bearer", " ", ",", "=", '"', "\\", "realm", "x"), { maxLength: 60 })
      .map((parts) => parts.join("")),
  );
  fc.assert(fc.property(text, (value) => Array.isArray(parseChallenges([value]))));
  const start = performance.now();
  parseChallenges([`Bearer ${"a ".repeat(8000)}`, `${" ".repeat(16000)}=`, "a".repeat(16000)]);
  assert.ok(performance.now() - start < 1000);
});
