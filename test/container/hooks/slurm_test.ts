/** What a container gets from Slurm. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pmiVariables, slurmPmiHook } from "../../../lib/container/hooks/slurm_pmi.ts";
import { firstHost, pytorchVariables } from "../../../lib/container/hooks/slurm_pytorch.ts";
import { hookContext } from "./hook_fixture.ts";

const hosts: readonly (readonly [list: string, first: string | undefined])[] = [
  ["node1", "node1"],
  ["node[01-04,07],login1", "node01"],
  ["a[3,1-2]", "a3"],
  ["rack[1-2]node[10-12]", "rack1node10"],
  ["node[5]", "node5"],
  ["x,y[1-2]", "x"],
  ["gpu-a100-[001-016].example", "gpu-a100-001.example"],
  ["", undefined],
];
for (const [list, first] of hosts) {
  test(`the first host of "${list}" is ${first}`, () => assert.equal(firstHost(list), first));
}

test("PyTorch learns its place from a step of Slurm", () => {
  const step = {
    SLURM_JOB_ID: "123456",
    SLURM_STEP_NODELIST: "n[2-3]",
    SLURM_NTASKS: "8",
    SLURM_PROCID: "5",
    SLURM_LOCALID: "1",
    SLURM_STEP_NUM_TASKS: "8",
    SLURM_STEP_NUM_NODES: "2",
  };
  assert.deepEqual(Object.fromEntries(pytorchVariables(step)), {
    MASTER_ADDR: "n2",
    MASTER_PORT: String(123456 % 4536 + 61000),
    WORLD_SIZE: "8",
    RANK: "5",
    LOCAL_RANK: "1",
    OMP_NUM_THREADS: "1",
  });
  const alone = { SLURM_JOB_ID: "1", SLURM_STEP_NUM_TASKS: "2", SLURM_STEP_NUM_NODES: "2" };
  assert.deepEqual(Object.fromEntries(pytorchVariables(alone)), { MASTER_PORT: "61001" });
});

const pmix = {
  SLURM_JOB_ID: "1",
  PMIX_RANK: "0",
  PMIX_PTL_MODULE: "tcp",
  PMIX_SECURITY_MODE: "munge",
  PMIX_GDS_MODULE: "hash",
  PMIX_SERVER_TMPDIR: "/spool/pmix.1.0",
};

test("PMIx's choices get the names that its client knows", () => {
  const names = (environment: Record<string, string>) => [...pmiVariables(environment).keys()];
  assert.deepEqual(pmiVariables(pmix).get("PMIX_MCA_ptl"), "tcp");
  assert.deepEqual(pmiVariables(pmix).get("PMIX_MCA_psec"), "munge");
  assert.deepEqual(pmiVariables({ ...pmix, PMIX_MCA_gds: "ds21" }).get("PMIX_MCA_gds"), "ds21");
  assert.ok(names({ ...pmix, SLURM_MPI_TYPE: "pmix_v4" }).includes("PMIX_RANK"));
  assert.deepEqual(names({ ...pmix, SLURM_MPI_TYPE: "pmi2", PMI_FD: "3", HOME: "/" }), [
    "SLURM_JOB_ID",
    "SLURM_MPI_TYPE",
    "PMI_FD",
  ]);
});

test("PMIx's directory is mounted when all hooks have run, and may be missing", async () => {
  const { context, later } = await hookContext({ environment: pmix });
  await slurmPmiHook.run(context);
  assert.deepEqual(later.map(({ source, target }) => [source, target]), [
    ["/spool/pmix.1.0", "/spool/pmix.1.0"],
  ]);
  assert.ok(later[0]!.options.includes("nofail"));
});

test("variables of Slurm stay outside where no step runs", async () => {
  const { context } = await hookContext({ environment: { SLURM_JOB_ID: "1" } });
  assert.equal(slurmPmiHook.reason(context), undefined);
});
