/** The files of a test's cluster: configuration, programs, directories of the nodes. */

import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nobody } from "../other_user.ts";

export interface SlurmOptions {
  /** Each node's name, and its arguments for pyxis, as plugstack.conf has them. */
  readonly nodes: Readonly<Record<string, string>>;
  /** The executable that all nodes have as `enroot` and as `denroot-importer`. */
  readonly denroot: string;
  /** Lines of enroot.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Nodes that have this script as `enroot` instead. */
  readonly scripts?: Readonly<Record<string, string>>;
}

/** The plugin itself; without it a stand-in is used. */
export const plugin = process.env.DENROOT_TEST_PYXIS || undefined;

const here = fileURLToPath(new URL(".", import.meta.url));
const ALL_MAY_WRITE = 0o1777;

export async function writeSite(directory: string, options: SlurmOptions): Promise<void> {
  chmodSync(directory, 0o755);
  for (const name of ["home", "state", "munge", "nodes"]) mkdirSync(join(directory, name));
  chownSync(join(directory, "home"), nobody, nobody);
  writeFileSync(join(directory, "munge/key-file"), randomBytes(64), { mode: 0o400 });
  copyFileSync(options.denroot, join(directory, "denroot"));
  chmodSync(join(directory, "denroot"), 0o755);
  for (const file of ["pyxis_stand_in.py", "enroot_calls.py", "node.sh"]) {
    copyFileSync(join(here, file), join(directory, file));
  }
  const standIn = `/usr/bin/python3 ${directory}/pyxis_stand_in.py`;
  writeProgram(join(directory, "epilog"), `#!/bin/sh\nexec ${standIn} --epilog\n`);
  for (const node of Object.keys(options.nodes)) writeNode(directory, node, options);
  writePyxisFiles(directory, "");
  writeFileSync(join(directory, "enroot.conf"), enrootConf(options.settings ?? {}));
  writeFileSync(join(directory, "cgroup.conf"), "CgroupPlugin=cgroup/v1\n");
  const lines = await slurmConf(directory, Object.keys(options.nodes));
  writeFileSync(join(directory, "slurm.conf"), lines.join("\n") + "\n");
}

function writeNode(directory: string, node: string, options: SlurmOptions): void {
  const path = join(directory, "nodes", node);
  for (const name of ["", "bin", "spool", "data"]) mkdirSync(join(path, name));
  chmodSync(join(path, "data"), ALL_MAY_WRITE);
  const script = options.scripts?.[node];
  if (script !== undefined) writeProgram(join(path, "bin/enroot"), script);
  else symlinkSync(join(directory, "denroot"), join(path, "bin/enroot"));
  symlinkSync(join(directory, "denroot"), join(path, "bin/denroot-importer"));
  writePyxisFiles(path, options.nodes[node]!);
}

function writePyxisFiles(directory: string, pyxisArguments: string): void {
  writeFileSync(join(directory, "pyxis.conf"), pyxisArguments + "\n");
  const line = plugin === undefined ? "" : `required ${plugin} ${pyxisArguments}\n`;
  writeFileSync(join(directory, "plugstack.conf"), line);
}

function enrootConf(settings: Readonly<Record<string, string>>): string {
  const all = {
    ENROOT_DATA_PATH: "/run/node/containers",
    ENROOT_CACHE_PATH: "/run/node/cache-$(id -u)",
    ENROOT_RUNTIME_PATH: "/run/node/runtime-$(id -u)",
    ENROOT_ALLOW_HTTP: "yes",
    ...settings,
  };
  return Object.entries(all).map(([name, value]) => `${name} ${value}\n`).join("");
}

async function slurmConf(directory: string, nodes: readonly string[]): Promise<string[]> {
  const [controlPort, ...ports] = await freePorts(nodes.length + 1);
  return [
    "ClusterName=test",
    `SlurmctldHost=${hostname()}(127.0.0.1)`,
    `SlurmctldPort=${controlPort}`,
    "SlurmUser=root",
    "AuthType=auth/munge",
    `AuthInfo=socket=${join(directory, "munge/socket")}`,
    `StateSaveLocation=${join(directory, "state")}`,
    `SlurmctldPidFile=${join(directory, "state/slurmctld.pid")}`,
    `SlurmdSpoolDir=${join(directory, "nodes/%n/spool")}`,
    `SlurmdPidFile=${join(directory, "nodes/%n/slurmd.pid")}`,
    `PlugStackConfig=${join(directory, "plugstack.conf")}`,
    ...(plugin === undefined ? [`Epilog=${join(directory, "epilog")}`] : []),
    "ProctrackType=proctrack/linuxproc",
    "SlurmdParameters=config_overrides",
    "SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1",
    "SelectType=select/cons_tres",
    "SelectTypeParameters=CR_Core",
    "ReturnToService=2",
    "MessageTimeout=30",
    ...nodes.map((node, index) =>
      `NodeName=${node} NodeHostname=${node} NodeAddr=127.0.0.1 Port=${ports[index]} CPUs=8`
    ),
    `PartitionName=all Nodes=${nodes.join(",")} Default=YES OverSubscribe=FORCE:16 State=UP`,
  ];
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () =>
      new Promise<Server>((resolve) => {
        const server = createServer();
        server.listen(0, "127.0.0.1", () => resolve(server));
      })),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function writeProgram(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}
