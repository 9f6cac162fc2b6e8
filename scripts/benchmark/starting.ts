/**
 * How long a container takes to start, from a directory and from an image file, and a command in one
 * that runs. All programs take turns, so that a busy moment of the machine hits each of them.
 */

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeBusyboxRoot } from "../../test/helpers/container_home.ts";
import { findProgram } from "../../test/helpers/run_program.ts";

const RUNS = 20;
const SETTLE_MS = 1000;
const executable = fileURLToPath(new URL("../../dist/denroot", import.meta.url));

async function main(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "denroot-bench-"));
  const root = join(home, "data", "box");
  makeBusyboxRoot(root);
  mkdirSync(join(home, "runtime"));
  const image = join(home, "box.sqsh");
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    TERM: "dumb",
    ENROOT_DATA_PATH: join(home, "data"),
    ENROOT_RUNTIME_PATH: join(home, "runtime"),
    ENROOT_CACHE_PATH: join(home, "cache"),
  };
  timeOf([executable, "export", "--output", image, "box"], env);
  const running = spawn(executable, ["start", "box", "/bin/sleep", "1000"], {
    env,
    stdio: "ignore",
  });
  try {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const commands = commandsToMeasure(root, image, String(running.pid));
    const times = new Map(commands.map(([title]) => [title, [] as number[]]));
    for (let run = 0; run < RUNS; run++) {
      for (const [title, command] of commands) times.get(title)!.push(timeOf(command, env));
    }
    console.log("command".padEnd(44) + "median ms".padStart(10) + "least ms".padStart(10));
    for (const [title, values] of times) {
      const numbers = [values.sort((a, b) => a - b)[RUNS / 2]!, Math.min(...values)];
      console.log(title.padEnd(44) + numbers.map((ms) => ms.toFixed(1).padStart(10)).join(""));
    }
  } finally {
    running.kill("SIGKILL");
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

type TitledCommand = readonly [title: string, command: readonly [string, ...string[]]];

function commandsToMeasure(root: string, image: string, pid: string): TitledCommand[] {
  const enroot = findProgram("enroot");
  return [
    ["denroot version", [executable, "version"]],
    ["denroot start box true", [executable, "start", "box", "/bin/true"]],
    ["denroot start -w box true", [executable, "start", "-w", "box", "/bin/true"]],
    ["denroot start box.sqsh true", [executable, "start", image, "/bin/true"]],
    ["denroot start -w box.sqsh true", [executable, "start", "-w", image, "/bin/true"]],
    ["denroot start --unpack box.sqsh true", [executable, "start", "--unpack", image, "/bin/true"]],
    ["denroot run box.sqsh true", [executable, "run", image, "/bin/true"]],
    ["denroot exec PID true", [executable, "exec", pid, "true"]],
    ["unshare -Ur chroot box true", ["unshare", "-Urm", "chroot", root, "/bin/true"]],
    ...(enroot === undefined ? [] : [
      ["enroot start box true", [enroot, "start", "box", "/bin/true"]] as const,
      ["enroot start box.sqsh true", [enroot, "start", image, "/bin/true"]] as const,
      ["enroot exec PID true", [enroot, "exec", pid, "true"]] as const,
    ]),
  ];
}

function timeOf(
  [program, ...args]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv,
): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  return performance.now() - begun;
}

await main();
