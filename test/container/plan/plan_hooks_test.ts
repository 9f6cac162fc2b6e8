/** Which hooks run, in which order, and why. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { planHooks } from "../../../lib/container/plan/plan_hooks.ts";
import type { BuiltInHook } from "../../../lib/types/container.ts";
import { planInputs } from "./plan_fixture.ts";

function builtIn(name: string, reason: string | undefined = "it always runs"): BuiltInHook {
  return {
    name,
    summary: "It does a thing.",
    when: "there is a thing to do",
    reason: () => reason,
    run() {},
  };
}

const idle = { ...builtIn("98-idle.sh"), reason: () => undefined };

test("the system's hooks run by name among the built-in ones, then the user's, then the script's", () => {
  const hooks = planHooks(planInputs({
    builtInHooks: [builtIn("10-b.sh"), builtIn("20-b.sh"), idle],
    system: { "15-s.sh": "x", "99-s.sh": "x" },
    user: { "01-u.sh": "x" },
    script: { path: "/conf.sh", hasHooks: true },
  }));
  assert.deepEqual(hooks.map(({ name, type, runs }) => [name, type, runs]), [
    ["10-b.sh", "built-in", true],
    ["15-s.sh", "file", true],
    ["20-b.sh", "built-in", true],
    ["98-idle.sh", "built-in", false],
    ["99-s.sh", "file", true],
    ["01-u.sh", "file", true],
    ["conf.sh", "script", true],
  ]);
  assert.equal(hooks[3]!.reason, "it runs when there is a thing to do");
});

const files: readonly (readonly [title: string, text: string, runs: boolean, reason: RegExp])[] = [
  ["an executable file takes the place of", "x", true, /takes the place of the built-in hook/],
  ["an empty file switches off", "", false, /^it is empty, and switches off/],
  ["a file that is not executable switches off", "off", false, /not executable, and switches off/],
];
for (const [title, text, runs, reason] of files) {
  for (const where of ["system", "user"] as const) {
    test(`${title} the built-in hook of its name, in the ${where}'s directory`, () => {
      const hooks = planHooks(
        planInputs({ builtInHooks: [builtIn("10-a.sh")], [where]: { "10-a.sh": text } }),
      );
      assert.equal(hooks.length, 1);
      assert.equal(hooks[0]!.type, "file");
      assert.equal(hooks[0]!.runs, runs);
      assert.match(hooks[0]!.reason, reason);
    });
  }
}

test("a file beside the built-in hooks runs when it is executable", () => {
  const hooks = planHooks(planInputs({ system: { "a.sh": "x", "b.sh": "off" } }));
  assert.deepEqual(hooks.map(({ runs, reason }) => [runs, reason]), [
    [true, "it is executable"],
    [false, "it is not executable"],
  ]);
});
