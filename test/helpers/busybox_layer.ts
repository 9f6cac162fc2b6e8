/** A layer with busybox, so that a container can run something. */

import { readFileSync } from "node:fs";
import { APPLETS } from "./container_home.ts";
import { findProgram } from "./run_program.ts";
import { directory, file, symlink, type TarSpec } from "./tar_fixture.ts";

export function busyboxLayer(): TarSpec[] {
  const busybox = findProgram("busybox");
  if (busybox === undefined) throw new Error("There is no busybox: run scripts/setup --test");
  const names = ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"];
  return [
    ...names.map((name) => directory(name)),
    file("bin/busybox", readFileSync(busybox), { mode: 0o755 }),
    ...APPLETS.split(" ").map((name) => symlink(`bin/${name}`, "busybox")),
  ];
}
