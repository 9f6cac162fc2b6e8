/** Environment files are read as enroot 4.1 reads them, and cannot be filled from host values. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseEnvironment,
  parseEnvironmentOption,
  parseVariable,
} from "../../lib/enroot/parse_environment.ts";

const host: Readonly<Record<string, string>> = {
  HOST: "a b",
  QUOTED: '"q"',
  NAME: "N",
  LINES: "1\nLD_PRELOAD=/evil.so",
  DISPLAY: ":0",
};
const lookUp = (name: string) => host[name];

const lines: readonly (readonly [line: string, expected: string | undefined])[] = [
  ["A=1", "A=1"],
  [" \tA=1", "A=1"],
  ["A=", "A="],
  ["A=b=c", "A=b=c"],
  ["A= x ", "A= x "],
  ["_a1=x", "_a1=x"],
  // What is no assignment.
  ["#A=1", undefined],
  ["  # A=1", undefined],
  ["A", undefined],
  ["=1", undefined],
  ["1A=1", undefined],
  ["A-B=1", undefined],
  ["A B=1", undefined],
  ["export A=1", undefined],
  ["ENROOT_X=1", undefined],
  ["A=b\0c", undefined],
  // Quotes.
  ['A="x"', "A=x"],
  ["A='x\"  ", "A=x"],
  ['A="x"y', 'A="x"y'],
  ['A="', 'A="'],
  ['A=""', "A="],
  ['A="a" "b"', 'A=a" "b'],
  // References.
  ["A=${HOST}", "A=a b"],
  ['A="${HOST}"', "A=a b"],
  ["A=${HOST}${HOST}", "A=a ba b"],
  ["A=$HOST", "A=$HOST"],
  ["A=$${HOST}", "A=$a b"],
  ["A=\\${HOST}", "A=\\a b"],
  ["A=${HOST:-x}", "A=${HOST:-x}"],
  ["A=${MISSING}x", "A=x"],
  ["${NAME}_X=1", "N_X=1"],
  ["A=${QUOTED}", 'A="q"'],
  ["A=${LINES}", "A=1\nLD_PRELOAD=/evil.so"],
  // Images of the first enroot keep a variable of the host in this way.
  ["DISPLAY=$DISPLAY", "DISPLAY=:0"],
  ["DISPLAY=${DISPLAY}", "DISPLAY=:0"],
  ["A=$DISPLAY", "A=$DISPLAY"],
  ["MISSING=$MISSING", "MISSING="],
];
for (const [line, expected] of lines) {
  test(`the line ${JSON.stringify(line)} gives ${JSON.stringify(expected)}`, () => {
    const variables = parseEnvironment(line, lookUp);
    assert.deepEqual(
      variables.map(({ name, value }) => `${name}=${value}`),
      expected === undefined ? [] : [expected],
    );
  });
}

test("all variables of a file come in their order", () => {
  assert.deepEqual(parseEnvironment("A=1\n\n#\nB=2\nA=3\n").map(({ name }) => name), [
    "A",
    "B",
    "A",
  ]);
});

test("references stay as they are where none are allowed", () => {
  assert.deepEqual(parseEnvironment("A=${HOST}\nDISPLAY=$DISPLAY"), [
    { name: "A", value: "${HOST}" },
    { name: "DISPLAY", value: "$DISPLAY" },
  ]);
});

test("a name alone in the file of --env-file stands for the host's value", () => {
  assert.deepEqual(parseEnvironmentOption("HOST\n# x\n LINES \nB='c'\nno name\n", lookUp), [
    { name: "HOST", value: "a b" },
    { name: "LINES", value: host.LINES! },
    { name: "B", value: "c" },
  ]);
});

const words: readonly (readonly [word: string, expected: string | undefined])[] = [
  ["A=1", "1"],
  ["A=", ""],
  ["HOST", "a b"],
  ["QUOTED", '"q"'],
  ["MISSING", ""],
  ["A=${HOST}", "${HOST}"],
  ["A='x'", "x"],
  ["A=x\ny", "x\ny"],
  ["1A=1", undefined],
  ["=x", undefined],
  ["", undefined],
  ["A B=1", undefined],
];
for (const [word, expected] of words) {
  test(`--env ${JSON.stringify(word)} gives ${JSON.stringify(expected)}`, () => {
    assert.equal(parseVariable(word, lookUp)?.value, expected);
  });
}
