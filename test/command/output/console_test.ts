/** Errors show what happened and what to do, and with --debug also the causes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { errorText, logLine } from "../../../lib/command/output/console.ts";
import { DenrootError } from "../../../lib/errors.ts";

const plain = { colour: false, debug: false };

test("an error has one line, and its hint the next line", () => {
  const error = new DenrootError("exists", "a.sqsh is there already", { hint: "Use --force" });
  assert.equal(errorText(error, plain), "[ERROR] a.sqsh is there already\n        Use --force\n");
  assert.equal(errorText(new DenrootError("file", "x"), plain), "[ERROR] x\n");
});

test("on a terminal the word ERROR is red", () => {
  const text = errorText(new DenrootError("file", "x"), { colour: true, debug: false });
  assert.equal(text, "\x1b[31m[ERROR]\x1b[39m x\n");
});

test("with debug the stack and each cause show, even if the causes form a ring", () => {
  const inner = new Error("connection refused");
  const outer = new DenrootError("network", "No answer", { cause: inner });
  (inner as { cause?: unknown }).cause = outer;
  const text = errorText(outer, { colour: false, debug: true });
  assert.match(text, /^\[ERROR\] No answer\n {8}DenrootError: No answer\n/);
  assert.match(text, /\n {8}caused by: Error: connection refused\n/);
  assert.equal(text.match(/caused by/g)!.length, 1);
  assert.doesNotMatch(errorText(outer, plain), /caused by/);
});

test("the error for a mistake in denroot asks for a report", () => {
  const text = errorText(new TypeError("x is undefined"), plain);
  assert.match(text, /^\[ERROR\] Unexpected failure: x is undefined\n {8}.*--debug/);
  assert.match(errorText("thrown text", plain), /thrown text/);
});

test("text from a server cannot move the cursor or forge a line", () => {
  const error = new DenrootError("registry", "evil\u001b[2J\n[INFO] all is well\r", {
    hint: "\u0007do\nthis",
  });
  assert.equal(
    errorText(error, plain),
    "[ERROR] evil\\u{1b}[2J\n        [INFO] all is well\n        \\u{7}do\n        this\n",
  );
  assert.equal(logLine("info", "a\nb", false), "[INFO] a\\u{a}b\n");
});
