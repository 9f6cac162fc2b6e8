/** Which processes ask for an image together, and which images are the same. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestInKey, imageKey } from "../../lib/share/image_key.ts";
import { currentStep, nameOfRequest } from "../../lib/share/step.ts";

const steps: readonly [
  title: string,
  env: Readonly<Record<string, string>>,
  name: string | undefined,
  isFirst: boolean,
][] = [
  ["no job", {}, undefined, false],
  ["a step of srun", { SLURM_JOB_ID: "12", SLURM_STEP_ID: "3", SLURM_NODEID: "4" }, "12.3", false],
  ["its first node", { SLURM_JOB_ID: "12", SLURM_STEP_ID: "3", SLURM_NODEID: "0" }, "12.3", true],
  ["the script of sbatch", { SLURM_JOB_ID: "12" }, "12.batch", true],
  ["a job that was put back", { SLURM_JOB_ID: "12", SLURM_RESTART_COUNT: "2" }, "12r2.batch", true],
  ["an odd job id", { SLURM_JOB_ID: "../12" }, undefined, false],
  ["an odd step id", { SLURM_JOB_ID: "12", SLURM_STEP_ID: "/etc" }, "12.batch", true],
];
for (const [title, env, name, isFirst] of steps) {
  test(`Slurm's variables name the step: ${title}`, () => {
    const step = currentStep(env);
    assert.deepEqual(step, name === undefined ? undefined : { name, isFirst });
  });
}

test("a name that the user gives comes first, and must be fit for a file", () => {
  assert.equal(currentStep({ SLURM_JOB_ID: "1" }, "pbs-42")?.name, "pbs-42");
  for (const name of ["", "..", "a/b", "-x", "x".repeat(101)]) {
    assert.throws(() => currentStep({}, name), { code: "usage" });
  }
});

test("a step that asks for two images, or with two sets of options, has a name for each", () => {
  const names = [["a", "x"], ["b", "x"], ["a", "y"]].map(([uri, options]) =>
    nameOfRequest(uri!, options!)
  );
  assert.equal(new Set(names).size, 3);
});

test("an image's key has its digest, and changes with what shapes the bytes", () => {
  const digest = `sha256:${"a".repeat(64)}` as const;
  const key = imageKey(digest, { squashOptions: "-comp lzo" });
  assert.equal(digestInKey(key), digest);
  assert.equal(imageKey(digest, { squashOptions: " -comp  lzo " }), key);
  assert.notEqual(imageKey(digest, { squashOptions: "-comp zstd" }), key);
  assert.notEqual(imageKey(digest, { squashOptions: "-comp lzo", sourceDateEpoch: 1 }), key);
  assert.equal(digestInKey("something.else"), undefined);
});
