/** How memory is shared among the layers that are decompressed at a time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type SlabHolder, SlabPool } from "../../lib/layer/slab_pool.ts";

interface Layer {
  readonly holder: SlabHolder;
  /** The numbers of the slabs that it was granted. */
  readonly granted: number[];
}

function enter(pool: SlabPool): Layer {
  const granted: number[] = [];
  return { holder: pool.enter(({ id }) => granted.push(id)), granted };
}

/** Asks for slabs as long as they come. */
function wantAll({ holder, granted }: Layer): number {
  for (let before = -1; before < granted.length;) {
    before = granted.length;
    holder.want();
  }
  return granted.length;
}

test("all layers together have no more slabs than there are, and each that comes has one", () => {
  const pool = new SlabPool(6, 3);
  const top = enter(pool);
  // Two of the five that are left are those of the two layers that may come.
  assert.equal(wantAll(top), 3);
  const [middle, base] = [enter(pool), enter(pool)];
  assert.deepEqual([wantAll(middle), wantAll(base)], [0, 0]);
  const ids = [top, middle, base].flatMap(({ holder }) => [...holder.slabs.keys()]);
  assert.deepEqual(ids.sort(), [0, 1, 2, 3, 4, 5]);
});

test("a slab that comes back goes to the layer that is needed first", () => {
  const pool = new SlabPool(4, 2);
  const [top, base] = [enter(pool), enter(pool)];
  assert.equal(wantAll(top), 2);
  base.holder.want();
  top.holder.spare(top.granted[1]!);
  // The top layer had asked first, and still waits.
  assert.deepEqual([top.granted.length, base.granted.length], [3, 0]);
  top.holder.spare(top.granted[0]!);
  assert.deepEqual(base.granted, [top.granted[0]]);
});

test("a layer that ends leaves its slabs to those that wait, and one to the next layer", () => {
  const pool = new SlabPool(4, 2);
  const [top, base] = [enter(pool), enter(pool)];
  assert.equal(wantAll(top), 2);
  assert.equal(wantAll(base), 0);
  top.holder.leave();
  assert.equal(wantAll(base), 2);
  const next = enter(pool);
  assert.equal(next.holder.slabs.size, 1);
  assert.equal(wantAll(next), 0);
});

test("too little memory still gives every layer a slab", () => {
  const pool = new SlabPool(0, 2);
  assert.deepEqual([enter(pool), enter(pool)].map(wantAll), [0, 0]);
});
