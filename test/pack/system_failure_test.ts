/** What is said about files that the kernel does not make. */

import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { systemFailure } from "../../lib/pack/system_failure.ts";

const FAILURES: readonly (readonly [errno: number, code: string, message: string])[] = [
  [constants.errno.ENOSPC, "space", "There is no room left for /usr/big in the container"],
  [constants.errno.EDQUOT, "space", "There is no room left for /usr/big in the container"],
  [constants.errno.EPERM, "file", "/usr/big cannot be made in the container: EPERM"],
];

for (const [errno, code, message] of FAILURES) {
  test(`errno ${errno} is told as "${message}"`, () => {
    const failure = systemFailure("usr/big", -errno);
    assert.deepEqual([failure.code, failure.message], [code, message]);
    assert.ok(failure.hint);
  });
}
