/** enroot's substitution of passwords, with a real shell. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { substitutePassword } from "../../../../lib/transport/registry/credentials/substitute_password.ts";
import { scratchDirectory } from "../../../helpers/scratch.ts";
import { isError, NEVER } from "../registry_fixture.ts";

const scratch = scratchDirectory("substitution");
const origin = "FILE, line 1 (machine h)";

const KEY = String
  .raw`{"type": "service account", "private_key": "-----BEGIN KEY-----\nAB* [x] ?\n"}`;
writeFileSync(join(scratch, "key.json"), KEY);
writeFileSync(join(scratch, "answer.json"), '{"accessToken": "refresh"}');

const env = {
  PATH: "/usr/bin:/bin",
  TOKEN: "t o k",
  NESTED: "$(echo no)",
  GOOGLE_APPLICATION_CREDENTIALS: join(scratch, "key.json"),
  BIG: "x".repeat(5000),
  EMPTY: "",
  DIRECTORY: scratch,
};

const TABLE: readonly (readonly [text: string, expected: string])[] = [
  ["$TOKEN", "t o k"],
  ["${TOKEN}", "t o k"],
  ["$TOKEN # a comment", "t o k"],
  ["$NESTED", "$(echo no)"],
  ["$(echo secret)", "secret"],
  ["$(printf '  secret \\n\\n')", "secret"],
  ["$(echo 'a b' | tr -d ' ')", "ab"],
  ["$(echo '\"quoted\"' | tr -d '\"')", "quoted"],
  ["$(echo $(echo nested))", "nested"],
  ["$(echo ')')", ")"],
  ["$(echo one)two", "onetwo"],
  ["$(echo one) two", "one two"],
  ["${UNSET:-fallback}", "fallback"],
  ["$BIG", "x".repeat(5000)],
  // These are the examples of enroot's manual, with programs that every machine has.
  [
    "$(cat $GOOGLE_APPLICATION_CREDENTIALS | sed 's/ /\\\\u0020/g')",
    KEY.replaceAll(" ", "\\u0020"),
  ],
  ["$(cat $DIRECTORY/answer.json | cut -d: -f2 | tr -d '\"} ')", "refresh"],
  [
    "$(sed -n 's/.*accessToken\": \\(.*\\)}/\\1/p' $DIRECTORY/answer.json  | tr -d '\"')",
    "refresh",
  ],
];

for (const [text, expected] of TABLE) {
  // Enroot's manual has no quotes around these paths.
  const skip = /[A-Z] \||json /.test(text) && /\s/.test(scratch) && "the paths have blanks";
  test(`the password ${text} is substituted`, { skip }, async () => {
    assert.equal(await substitutePassword({ text, origin }, env, NEVER), expected);
  });
}

const FAILURES: readonly (readonly [title: string, text: string, message: RegExp])[] = [
  ["a variable that is not set", "$UNSET", /FILE, line 1 \(machine h\).*the result is empty/],
  ["a variable that is empty", "$EMPTY", /the result is empty/],
  ["a command that prints nothing", "$(true)", /the result is empty/],
  ["a command that fails", "$(echo half; exit 3)", /exit code 3$/],
  ["a command that fails and says why", "$(echo no login >&2; exit 1)", /exit code 1: no login$/],
  ["a command that is not there", "$(no-such-program-here get)", /exit code 127: .*not found/],
  ["a syntax error", "$(", /exit code/],
];

for (const [title, text, message] of FAILURES) {
  test(`${title} is an error that names the entry`, async () => {
    await assert.rejects(
      substitutePassword({ text, origin }, env, NEVER),
      isError("credentials", message),
    );
  });
}

test("the shell's message about a literal password is not shown", async () => {
  await assert.rejects(
    substitutePassword({ text: "$ecret'hunter2", origin }, env, NEVER),
    (error) => {
      assert.doesNotMatch((error as Error).message, /hunter2/);
      return true;
    },
  );
});

test("the expression is not in the arguments of any process", async () => {
  const text = "$(tr '\\0' ' ' < /proc/$PPID/cmdline; cat /proc/$$/cmdline | tr '\\0' ' ')";
  assert.doesNotMatch(await substitutePassword({ text, origin }, env, NEVER), /cmdline;/);
});
