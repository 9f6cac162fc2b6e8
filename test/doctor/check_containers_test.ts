/** Findings about containers: what may forbid or slow them. */

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../lib/config/settings.ts";
import { checkContainers } from "../../lib/doctor/check_containers.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { type FakeMachine, fakeMachine, troubles } from "./machine_fixture.ts";

const scratch = scratchDirectory("doctor-containers");
const hooks = join(scratch, "hooks.d");
mkdirSync(hooks);
const ENROOTS =
  "#!/usr/bin/env bash\n\n# Copyright (c) 2018-2023, NVIDIA CORPORATION. All rights\n";
for (const name of ["10-shadow.sh", "50-site.sh"]) {
  writeFileSync(join(hooks, name), "x");
  chmodSync(join(hooks, name), 0o755);
}
const shadow = join(hooks, "10-shadow.sh");
const site = join(hooks, "50-site.sh");
const bare = { HOME: join(scratch, "nowhere"), ENROOT_SYSCONF_PATH: join(scratch, "nowhere") };
const withHooks = { ...bare, ENROOT_SYSCONF_PATH: scratch };
const FILES = { "/proc/self/ns/user": "" };

type Row = readonly [
  title: string,
  machine: FakeMachine,
  found: readonly string[],
  env?: Readonly<Record<string, string>>,
];
const TABLE: readonly Row[] = [
  ["all is allowed", { files: FILES }, []],
  ["a kernel without them", { files: {} }, ["warning User namespaces: this kernel has none"]],
  ["a security module", {
    files: FILES,
    tryContainer: () => Promise.resolve({ refusal: "EPERM", hint: "Allow it" }),
  }, ["warning User namespaces: EPERM"]],
  ["an old kernel", { files: FILES, tryContainer: () => Promise.resolve({ overlay: false }) }, [
    "warning Overlay: this user can mount none: hooks of a read-only start change the container's " +
    "directory",
  ]],
  ["no FUSE", {
    files: FILES,
    tryContainer: () => Promise.resolve({ overlay: true, fuse: "open /dev/fuse: ENOENT" }),
  }, ["warning FUSE: no image file can be mounted: open /dev/fuse: ENOENT"]],
  ["no programs in memory", { files: { ...FILES, "/proc/sys/vm/memfd_noexec": "2" } }, [
    "note Programs in memory: vm.memfd_noexec = 2 forbids them: denroot puts its own into " +
    "ENROOT_CACHE_PATH",
  ]],
  ["no bash, and no need for it", { files: FILES, findProgram: () => undefined }, [
    "note bash: this machine has none: only configuration scripts and hooks in bash need it",
  ]],
  [
    "no bash for a hook",
    {
      files: { ...FILES, [site]: "#!/bin/bash -e\n" },
      findProgram: () => undefined,
    },
    [`warning bash: this machine has none, and ${site} needs it`],
    withHooks,
  ],
  ["enroot's scripts", { files: { ...FILES, [shadow]: ENROOTS, [site]: ENROOTS } }, [
    `note Hooks: enroot's own scripts take the place of built-in hooks, which are much faster: ${shadow}`,
  ], withHooks],
];

for (const [title, machine, found, env] of TABLE) {
  test(`${title}: ${found[0]?.replace(scratch, "…") ?? "no trouble"}`, async () => {
    const settings = await loadSettings(env ?? bare);
    assert.deepEqual(troubles(await checkContainers(fakeMachine(machine), settings)), found);
  });
}
