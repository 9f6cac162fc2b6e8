/** The images that a name without a registry may stand for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeRegistriesFiles } from "../../lib/containers_conf/registries_conf.ts";
import { parseRegistriesFile } from "../../lib/containers_conf/registries_file.ts";
import { resolveShortName } from "../../lib/containers_conf/short_names.ts";
import { DenrootError } from "../../lib/errors.ts";

const ALIASES = '[aliases]\ntool = "quay.io/team/tool"\nhub = "docker.io/hub"\n';
const TWO = 'unqualified-search-registries = ["a.io:5000", "docker.io"]\n';
const DIGEST = `sha256:${"0".repeat(64)}`;

const CASES: readonly (readonly [name: string, candidates: readonly string[]])[] = [
  ["app", ["a.io:5000/app", "docker.io/library/app"]],
  ["app:1.2", ["a.io:5000/app:1.2", "docker.io/library/app:1.2"]],
  ["team/app", ["a.io:5000/team/app", "docker.io/team/app"]],
  [`app@${DIGEST}`, [`a.io:5000/app@${DIGEST}`, `docker.io/library/app@${DIGEST}`]],
  ["tool", ["quay.io/team/tool"]],
  [`tool:1@${DIGEST}`, [`quay.io/team/tool:1@${DIGEST}`]],
  ["team/tool", ["a.io:5000/team/tool", "docker.io/team/tool"]],
  ["hub:1", ["docker.io/library/hub:1"]],
  ["b.io/app:1", ["b.io/app:1"]],
  ["localhost/app", ["localhost/app"]],
  ["localhost:5000/app", ["localhost:5000/app"]],
];

for (const [name, candidates] of CASES) {
  test(`${name.slice(0, 40)} may be ${candidates.join(" or ").slice(0, 80)}`, () => {
    assert.deepEqual(resolveShortName(name, conf(TWO + ALIASES)), candidates);
  });
}

test("without alias and search registries there is nothing to try", () => {
  assert.throws(() => resolveShortName("app", conf(ALIASES)), isReferenceError(/has no alias/));
  assert.deepEqual(resolveShortName("tool", conf(ALIASES)), ["quay.io/team/tool"]);
});

test("the mode enforcing refuses to choose among several", () => {
  const enforcing = 'short-name-mode = "enforcing"\n';
  assert.throws(
    () => resolveShortName("app", conf(enforcing + TWO)),
    isReferenceError(/may be a\.io:5000\/app or docker\.io\/library\/app, and .* enforcing/),
  );
  const one = conf(`${enforcing}unqualified-search-registries = ["a.io"]\n`);
  assert.deepEqual(resolveShortName("app", one), ["a.io/app"]);
});

function conf(text: string) {
  return mergeRegistriesFiles([parseRegistriesFile(text, "FILE")]);
}

function isReferenceError(message: RegExp) {
  return (error: unknown) =>
    error instanceof DenrootError && error.code === "reference" && message.test(error.message);
}
