/** What a script makes of the two files that it gets. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  changedMounts,
  changedVariables,
  environmentText,
  lastOfEachName,
  mountsText,
} from "../../../lib/container/hooks/hook_files.ts";
import { hasCode } from "../../../lib/errors.ts";

const before = [
  { name: "A", value: "1", origin: "image" },
  { name: "QUOTED", value: '"kept"', origin: "image" },
  { name: "LINES", value: "x\nLD_PRELOAD=/evil", origin: "--env" },
];
const after = (text: string) =>
  changedVariables(before, text, "hook.sh").map(({ name, value, origin }) =>
    `${name}=${value} (${origin})`
  );
const LINES = "LINES=x\nLD_PRELOAD=/evil (--env)";

test("a file has one line for each variable, and no line break of a value makes another", () => {
  assert.equal(environmentText(before), 'A=1\nQUOTED="kept"\n');
});

test("variables that a script adds, changes or removes count, and all others stay", () => {
  const text = environmentText(before);
  assert.deepEqual(after(text), [LINES, "A=1 (image)", 'QUOTED="kept" (image)']);
  assert.deepEqual(after(`${text}B="two words"\n`), [
    LINES,
    "A=1 (image)",
    'QUOTED="kept" (image)',
    "B=two words (hook.sh)",
  ]);
  assert.deepEqual(after(`${text}A=2\n`), [LINES, "A=2 (hook.sh)", 'QUOTED="kept" (image)']);
  assert.deepEqual(after("A=3\n"), [LINES, "A=3 (hook.sh)"]);
  assert.deepEqual(after("# note\n\n  B=1\nENROOT_X=1\n1=2\nnothing\n"), [LINES, "B=1 (hook.sh)"]);
  assert.deepEqual(after("LINES=new\n"), ["LINES=new (hook.sh)"]);
  // Hooks' lines are taken as they are.
  assert.deepEqual(after("PATH=/x:${PATH}\n"), [LINES, "PATH=/x:${PATH} (hook.sh)"]);
});

test("of a variable that is there twice, the later value counts", () => {
  const twice = [...before, { name: "A", value: "9", origin: "--env" }];
  assert.equal(lastOfEachName(twice)[0]!.value, "9");
});

const mount = {
  source: "/a b",
  target: "/c#\\d",
  type: "none",
  options: ["rbind", "ro"],
  pass: 0,
  origin: "10-home.sh",
};

test("a mount that a script leaves alone keeps its origin, and new ones have the script's", () => {
  const text = mountsText([mount]);
  assert.equal(text, "/a\\040b /c\\043\\134d none rbind,ro 0 0\n");
  assert.deepEqual(changedMounts([mount], text, "hook.sh"), [mount]);
  const changed = changedMounts([mount], `/x /y none bind\n# no\n${text}`, "hook.sh");
  assert.deepEqual(changed.map(({ target, origin }) => [target, origin]), [
    ["/y", "hook.sh"],
    ["/c#\\d", "10-home.sh"],
  ]);
  assert.deepEqual(changedMounts([mount], "", "hook.sh"), []);
  // What is read anew from the text is the same mount.
  assert.deepEqual(changedMounts([], text, "10-home.sh"), [mount]);
});

test("lines with a pass are not made, and a wrong line names its script", () => {
  assert.deepEqual(changedMounts([], "/x /y none bind 0 -1\n/x /y none bind 0 2\n", "h"), []);
  assert.throws(
    () => changedMounts([], "/x /y 0 0\n", "/etc/h.sh"),
    (error) => hasCode(error, "settings") && /\/etc\/h\.sh/.test(error.message),
  );
});
