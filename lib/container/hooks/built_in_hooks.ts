/** The hooks that every start has, in their order. */

import type { BuiltInHook } from "../../types/container.ts";
import { aptfixHook } from "./aptfix.ts";
import { cgroupsHook } from "./cgroups.ts";
import { devicesHook } from "./devices.ts";
import { homeHook } from "./home.ts";
import { localtimeHook } from "./localtime.ts";
import { mellanoxHook } from "./mellanox.ts";
import { nvidiaHook } from "./nvidia.ts";
import { shadowHook } from "./shadow.ts";
import { slurmPmiHook } from "./slurm_pmi.ts";
import { slurmPytorchHook } from "./slurm_pytorch.ts";

/** Their names, and what they do, are those of enroot's package. */
export const BUILT_IN_HOOKS: readonly BuiltInHook[] = [
  aptfixHook,
  cgroupsHook,
  devicesHook,
  homeHook,
  localtimeHook,
  shadowHook,
  slurmPmiHook,
  slurmPytorchHook,
  nvidiaHook,
  mellanoxHook,
];
