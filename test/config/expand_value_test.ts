/** Values of `enroot.conf` expand to the text that `eval echo VALUE` prints. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { expandValue, ExpansionError, UnsetVariable } from "../../lib/config/expand_value.ts";

const VARIABLES: Readonly<Record<string, string>> = {
  HOME: "/home/me",
  XDG_RUNTIME_DIR: "/run/user/7",
  EMPTY: "",
  SPACED: "a   b",
  QUOTE: "it's",
};

const userId = process.getuid!();
const context = {
  lookUp: (name: string) => VARIABLES[name],
  userId,
  shell: (value: string) => Promise.resolve(`shell<${value}>`),
};

const TABLE: ReadonlyArray<[raw: string, expanded: string]> = [
  ["", ""],
  ["plain", "plain"],
  ["-comp lzo   -noD", "-comp lzo -noD"],
  ["${XDG_RUNTIME_DIR}/enroot", "/run/user/7/enroot"],
  ["$XDG_RUNTIME_DIR/enroot", "/run/user/7/enroot"],
  ["${UNSET:-/tmp}", "/tmp"],
  ["${UNSET-/tmp}", "/tmp"],
  ["${EMPTY:-/tmp}", "/tmp"],
  ["x${EMPTY-/tmp}", "x"],
  ["${UNSET:-${HOME}/x}/y", "/home/me/x/y"],
  ['"${UNSET:-a b}"', "a b"],
  ["~/cache", "/home/me/cache"],
  ["~", "/home/me"],
  ["a~b", "a~b"],
  ['"~"', "~"],
  ["'$HOME'", "$HOME"],
  ['"$HOME/a b"', "/home/me/a b"],
  ["\\$HOME", "$HOME"],
  ["a\\ \\ b", "a  b"],
  ['"a\\"b"', 'a"b'],
  ['"a\\nb"', "a\\nb"],
  ["'a'\"b\"c", "abc"],
  ["'a;b'", "a;b"],
  ["yes # a comment", "yes"],
  ["# only a comment", ""],
  ["a#b", "a#b"],
  ["$SPACED", "a b"],
  ['"$SPACED"', "a   b"],
  ["$QUOTE", "it's"],
  ["cost$", "cost$"],
  ["-Xcompression-level 1", "-Xcompression-level 1"],
  ["/run/user-$(id -u)/enroot", `/run/user-${userId}/enroot`],
  ['"$HOME/$(id -u)"', `/home/me/${userId}`],
  ["'$(id -u)'\\$", "$(id -u)$"],
];

for (const [raw, expanded] of TABLE) {
  test(`${JSON.stringify(raw)} expands to ${JSON.stringify(expanded)}`, async () => {
    assert.equal(await expandValue(raw, context), expanded);
  });
}

const hasBash = spawnSync("bash", ["-c", ":"]).status === 0;
test("bash prints the same", { skip: !hasBash }, () => {
  for (const [raw, expanded] of TABLE) {
    const result = spawnSync("bash", ["-c", 'set -f; eval echo "$1"', "bash", raw], {
      env: { ...VARIABLES, PATH: "/usr/bin:/bin" },
      encoding: "utf8",
    });
    assert.equal(result.stdout, `${expanded}\n`, raw);
  }
});

for (
  const raw of [
    "$(nproc)",
    "/tmp/$(id -un)",
    "`nproc`",
    '"$(nproc)"',
    "${HOME%/*}",
    "${HOME^^}",
    "$((1 + 1))",
    "~root/x",
    "$$",
    "${UNSET:-$(nproc)}",
  ]
) {
  test(`a shell expands ${raw}`, async () => {
    assert.equal(await expandValue(raw, context), `shell<${raw}>`);
  });
}

for (const raw of ["'$(nproc)'", "\\$\\(nproc\\)", "\\`nproc\\`"]) {
  test(`${raw} runs no command`, async () => {
    assert.match(await expandValue(raw, context), /^.{1,2}?nproc.$/);
  });
}

test("the error for an unset variable names it", async () => {
  await assert.rejects(
    expandValue("${XDG_NOWHERE}/enroot", context),
    (error: unknown) => error instanceof UnsetVariable && error.variable === "XDG_NOWHERE",
  );
});

for (const raw of ['"open', "'open", "${open", "a;b", "a|b", "a & b", "a > b", "(a)"]) {
  test(`${raw} is an error`, async () => {
    await assert.rejects(expandValue(raw, context), ExpansionError);
  });
}
