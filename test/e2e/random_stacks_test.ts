/** Random stacks of layers mean to denroot what they mean to umoci. */

import fc from "fast-check";
import { test } from "node:test";
import { useDenroot } from "../helpers/denroot_command.ts";
import { assertLikeUmoci, importedTree } from "../helpers/layer_case.ts";
import { randomStack, sideBySide } from "../helpers/random_stack.ts";
import type { TarSpec } from "../helpers/tar_fixture.ts";

/** One seed for all runs, so that only a change of the code can make the test fail. */
const seed = Number(process.env.DENROOT_TEST_SEED ?? 20_260_101);
const runs = Number(process.env.DENROOT_TEST_RUNS ?? 15);

const denroot = useDenroot();

async function check(layers: TarSpec[][]): Promise<void> {
  const spec = { layers };
  await assertLikeUmoci(await importedTree(denroot, spec), spec);
}

test("a random stack of layers gives the tree that umoci unpacks", async () => {
  const property = fc.asyncProperty(randomStack, check);
  await fc.assert(property, { seed, numRuns: runs, interruptAfterTimeLimit: 40_000 });
});

test("many random stacks in one image give the tree that umoci unpacks", async () => {
  const stacks = fc.array(randomStack, { minLength: 10, maxLength: 20 }).map(sideBySide);
  const property = fc.asyncProperty(stacks, check);
  await fc.assert(property, { seed, numRuns: runs, interruptAfterTimeLimit: 40_000 });
});
