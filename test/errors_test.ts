/** Errors between threads, and what an abort rejects with. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  abortedError,
  DenrootError,
  firstFailure,
  fromPlainError,
  hasCode,
  isDiskFull,
  isMissing,
  systemCode,
  throwIfAborted,
  toPlainError,
} from "../lib/errors.ts";

/** Sends an error as a thread would. */
function pass(error: unknown): Error {
  return fromPlainError(structuredClone(toPlainError(error)));
}

test("a denroot error keeps all that it has between threads", () => {
  const error = new DenrootError("layer", "It is damaged", { hint: "Fetch it again" });
  const passed = pass(error);
  assert.ok(hasCode(passed, "layer"));
  assert.deepEqual(
    [passed.name, passed.message, passed.hint, passed.stack, passed.cause],
    ["DenrootError", error.message, error.hint, error.stack, undefined],
  );
});

test("nested causes keep their names, messages and stacks", () => {
  const root = new RangeError("too far");
  const middle = new Error("in the middle", { cause: root });
  const passed = pass(new DenrootError("file", "at the top", { cause: middle }));
  const chain = [passed.cause as Error, (passed.cause as Error).cause as Error];
  assert.deepEqual(
    chain.map(({ name, message, stack }) => ({ name, message, stack })),
    [middle, root].map(({ name, message, stack }) => ({ name, message, stack })),
  );
  assert.ok(chain.every((cause) => cause instanceof Error && !(cause instanceof DenrootError)));
});

test("a denroot error stays one as a cause", () => {
  const cause = new DenrootError("digest", "The bytes differ");
  assert.ok(hasCode(pass(new Error("outer", { cause })).cause, "digest"));
});

test("a thrown value that is no error becomes a message", () => {
  for (const value of ["a text", 7, null, undefined]) {
    const passed = pass(value);
    assert.deepEqual([passed.name, passed.message], ["Error", String(value)]);
  }
  assert.equal((pass(new Error("outer", { cause: "a text" })).cause as Error).message, "a text");
});

test("a circle of causes ends", () => {
  const first = new Error("first");
  first.cause = new Error("second", { cause: first });
  let length = 0;
  for (let error: unknown = pass(first); error instanceof Error; error = error.cause) length++;
  assert.equal(length, 9);
});

test("an abort rejects with code aborted, or with the error that is its reason", () => {
  const reason = new DenrootError("limit", "It took too long");
  assert.throws(() => throwIfAborted(AbortSignal.abort(reason)), reason);
  const error = abortedError(AbortSignal.abort("enough"));
  assert.deepEqual([error.code, error.cause], ["aborted", "enough"]);
  throwIfAborted(new AbortController().signal);
});

test("what the system says of a failed call is read from whatever was thrown", () => {
  const failed = (code: unknown) => Object.assign(new Error("failed"), { code });
  assert.equal(systemCode(failed("EACCES")), "EACCES");
  for (const thrown of [failed(7), new Error("failed"), new DenrootError("file", "x"), null, "x"]) {
    assert.equal(systemCode(thrown), "");
  }
  const codes = ["ENOENT", "ENOTDIR", "ENOSPC", "EDQUOT", "EACCES"];
  assert.deepEqual(codes.filter((code) => isMissing(failed(code))), ["ENOENT", "ENOTDIR"]);
  assert.deepEqual(codes.filter((code) => isDiskFull(failed(code))), ["ENOSPC", "EDQUOT"]);
});

test("where closing fails after a failure, the failure counts", () => {
  const work = () => {
    using _outer = { [Symbol.dispose]: () => assert.fail("the outer one cannot be closed") };
    using _inner = { [Symbol.dispose]: () => assert.fail("the inner one cannot be closed") };
    throw new DenrootError("space", "the disk is full");
  };
  assert.throws(work, (error) => {
    assert.ok(hasCode(firstFailure(error), "space"));
    assert.ok(hasCode(pass(error), "space"));
    return true;
  });
});
