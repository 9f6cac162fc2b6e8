/** Which GPUs and network adapters a container gets. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hardwareVariables } from "../../../lib/container/hooks/hardware_variables.ts";
import { chooseAdapters, findAdapters } from "../../../lib/container/hooks/mellanox.ts";
import { configureArguments, nvidiaHook } from "../../../lib/container/hooks/nvidia.ts";
import { hasCode } from "../../../lib/errors.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { hookContext } from "./hook_fixture.ts";

const scratch = scratchDirectory("hardware");

test("the host's choice of hardware wins over the container's, also an empty one", () => {
  const variables = new Map([["NVIDIA_A", "image"], ["NVIDIA_B", "image"], ["OTHER", "x"]]);
  const chosen = hardwareVariables(
    { environment: { NVIDIA_A: "", HOME: "/" }, variables },
    "NVIDIA_",
  );
  assert.deepEqual([...chosen], [["NVIDIA_A", ""], ["NVIDIA_B", "image"]]);
});

const cases: readonly (readonly [Readonly<Record<string, string>>, string | undefined])[] = [
  [{}, undefined],
  [{ NVIDIA_VISIBLE_DEVICES: "" }, undefined],
  [{ NVIDIA_VISIBLE_DEVICES: "void" }, undefined],
  [{ NVIDIA_VISIBLE_DEVICES: "none" }, "--utility"],
  [{ NVIDIA_VISIBLE_DEVICES: "all" }, "--device=all --utility"],
  [
    { NVIDIA_VISIBLE_DEVICES: "0,MIG-1", NVIDIA_DRIVER_CAPABILITIES: "compute,utility" },
    "--device=0,MIG-1 --compute --utility",
  ],
  [
    { NVIDIA_VISIBLE_DEVICES: "0", NVIDIA_DRIVER_CAPABILITIES: "all" },
    "--device=0 --compute --compat32 --display --graphics --utility --video",
  ],
  [
    {
      NVIDIA_VISIBLE_DEVICES: "0",
      NVIDIA_MIG_CONFIG_DEVICES: "all",
      NVIDIA_MIG_MONITOR_DEVICES: "0",
    },
    "--device=0 --mig-config=all --mig-monitor=0 --utility",
  ],
  [
    { NVIDIA_VISIBLE_DEVICES: "0", NVIDIA_REQUIRE_CUDA: "cuda>=12.4 brand=tesla" },
    "--device=0 --utility --require=cuda>=12.4 brand=tesla",
  ],
  [
    {
      NVIDIA_VISIBLE_DEVICES: "0",
      NVIDIA_REQUIRE_CUDA: "cuda>=12.4",
      NVIDIA_DISABLE_REQUIRE: "1",
    },
    "--device=0 --utility",
  ],
];
for (const [variables, expected] of cases) {
  test(`nvidia: ${JSON.stringify(variables)} gives ${expected}`, () => {
    assert.equal(configureArguments(new Map(Object.entries(variables)))?.join(" "), expected);
  });
}

test("nvidia: a capability that does not exist is named", () => {
  const variables = { NVIDIA_VISIBLE_DEVICES: "0", NVIDIA_DRIVER_CAPABILITIES: "compute,magic" };
  assert.throws(() => configureArguments(new Map(Object.entries(variables))), /magic/);
});

/** A tool that writes its arguments down, or fails; and a machine with GPUs only if it has some. */
function tool(script: string): Readonly<Record<string, string>> {
  const directory = join(scratch, `bin${Math.random()}`);
  mkdirSync(directory);
  const path = join(directory, "nvidia-container-cli");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return { PATH: `${directory}:/usr/bin:/bin`, OUTPUT: join(directory, "args") };
}
const hasGpu = existsSync("/proc/driver/nvidia") || existsSync("/dev/nvidiactl");

test("nvidia: an image for GPUs starts without them on a machine that has none", async () => {
  if (hasGpu) return;
  const variables = { NVIDIA_VISIBLE_DEVICES: "all" };
  const fixture = await hookContext({ variables, environment: tool("exit 1") });
  await nvidiaHook.run(fixture.context);
  assert.match(fixture.messages[0]!, /without/);
});

test("nvidia: a user who asks for GPUs on a machine that has none gets an error", async () => {
  if (hasGpu) return;
  const environment = { ...tool("exit 1"), NVIDIA_VISIBLE_DEVICES: "all" };
  const { context } = await hookContext({ environment });
  const run = Promise.resolve().then(() => nvidiaHook.run(context));
  await assert.rejects(
    run,
    (error) =>
      hasCode(error, "unsupported") && /NVIDIA_VISIBLE_DEVICES=void/.test(error.hint ?? ""),
  );
});

/** One PCI device of a fake /sys. */
function adapter(sys: string, driver: string, name: string, parts: Record<string, string>): void {
  for (const [part, device] of Object.entries(parts)) {
    const directory = join(sys, "bus/pci/drivers", driver, name, part);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "uevent"), `MAJOR=231\n${device}\n`);
  }
}

test("mellanox: each adapter has its own devices, whatever others lack", () => {
  const sys = join(scratch, "sys");
  adapter(sys, "mlx5_core", "0000:81:00.0", {
    "infiniband/mlx5_1": "NAME=mlx5_1",
    "infiniband_verbs/uverbs1": "DEVNAME=infiniband/uverbs1",
    "infiniband_mad/umad1": "DEVNAME=infiniband/umad1",
    "infiniband_mad/issm1": "DEVNAME=infiniband/issm1",
  });
  // A function without a network of its own, as those of data processing units.
  adapter(sys, "mlx5_core", "0000:41:00.0", {
    "infiniband_verbs/uverbs0": "DEVNAME=infiniband/uverbs0",
  });
  adapter(sys, "mlx5_core", "0000:99:00.0", { "net/eth0": "INTERFACE=eth0" });
  const adapters = findAdapters(sys);
  assert.deepEqual(adapters.map(({ devices }) => devices), [
    ["/dev/infiniband/uverbs0"],
    ["/dev/infiniband/uverbs1"],
  ]);
  assert.deepEqual(adapters[1]!.managementDevices, [
    "/dev/infiniband/issm1",
    "/dev/infiniband/umad1",
  ]);
  assert.deepEqual(adapters[1]!.classNames.get("infiniband"), ["mlx5_1"]);
  assert.equal(chooseAdapters(adapters, "all").length, 2);
  assert.deepEqual(chooseAdapters(adapters, "1"), [adapters[1]]);
  for (const wish of ["2", "-1", "x", "0,7"]) {
    assert.throws(() => chooseAdapters(adapters, wish), (error) => hasCode(error, "usage"));
  }
  assert.deepEqual(findAdapters(join(scratch, "nothing")), []);
});
