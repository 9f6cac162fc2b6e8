/** Tags in the order of versions. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "node:test";
import { inVersionOrder } from "../../../lib/command/output/version_order.ts";

const ORDERS: readonly (readonly string[])[] = [
  ["1.2", "1.9", "1.10", "1.10-alpine", "1.10.1", "2", "10"],
  ["24.12-py3", "25.01-py3", "25.06-py3", "latest"],
  ["v1.2.3", "v1.2.10", "v1.10.0"],
  ["a", "A", "b"],
  ["01", "1", "2"],
];

test("numbers count as numbers", () => {
  for (const order of ORDERS) {
    assert.deepEqual(inVersionOrder(order.toReversed()), order);
  }
});

test("the order does not depend on the order before", () => {
  const tags = fc.uniqueArray(fc.stringMatching(/^[0-9a-cA-C_][0-9a-c.-]{0,5}$/));
  fc.assert(fc.property(tags, (tags) => {
    assert.deepEqual(inVersionOrder(tags.toReversed()), inVersionOrder(tags));
  }));
});
