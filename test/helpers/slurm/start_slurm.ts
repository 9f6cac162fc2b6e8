/**
 * A cluster of Debian's Slurm on the loopback. Each node is in namespaces of its own, and has denroot
 * under the name `enroot`. `DENROOT_TEST_PYXIS` names a `spank_pyxis.so` for this Slurm; without it a
 * stand-in takes the place of pyxis, which calls enroot in the same way. Only root can start it.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asNobody } from "../other_user.ts";
import {
  findProgram,
  type ProgramResult,
  type RunningProgram,
  startProgram,
  waitUntil,
} from "../run_program.ts";
import { plugin, type SlurmOptions, writeSite } from "./slurm_site.ts";

export interface StepOptions {
  /** srun's or sbatch's own. */
  readonly slurm?: readonly string[];
  /** pyxis's. */
  readonly container?: readonly string[];
  /** On top of the user's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Slurm {
  readonly directory: string;
  /** The user's home. Jobs start there. */
  readonly home: string;
  /** The arguments of srun for a step, for scripts. */
  stepArguments(command: readonly string[], options?: StepOptions): readonly string[];
  /** Runs a step with srun. */
  srun(command: readonly string[], options?: StepOptions): Promise<ProgramResult>;
  /** The same; returns standard output, and throws when the step fails. */
  step(command: readonly string[], options?: StepOptions): Promise<string>;
  /** Runs a shell script as a job. Returns what it printed when its epilog is done. */
  batch(script: string, options?: StepOptions): Promise<string>;
  /** Any of Slurm's programs, as the user. */
  client(command: readonly string[]): Promise<ProgramResult>;
  /** Where the user's containers lie on a node. */
  containersOf(node: string): string;
  stop(): Promise<void>;
}

const LIMIT_MS = 60_000;

export async function startSlurm(options: SlurmOptions): Promise<Slurm> {
  const directory = mkdtempSync(join(tmpdir(), "denroot-slurm-"));
  const daemons: RunningProgram[] = [];
  const stop = async () => {
    for (const daemon of daemons) daemon.child.kill("SIGKILL");
    await Promise.all(daemons.map((daemon) => daemon.done.catch(() => {})));
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await writeSite(directory, options);
    const nodes = Object.keys(options.nodes);
    for (const command of daemonsOf(directory, nodes)) {
      const [program, ...args] = command;
      daemons.push(startProgram(program, args, { env: rootEnvironment(), timeoutMs: 3_600_000 }));
    }
    await allIdle(directory, nodes.length, daemons);
    return new Cluster(directory, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** munged first: the others ask it again until it answers. */
function daemonsOf(directory: string, nodes: readonly string[]): [string, ...string[]][] {
  const munge = ["key-file", "socket", "pid-file", "log-file", "seed-file"]
    .map((name) => `--${name}=${join(directory, "munge", name)}`);
  const apart = "--mount --uts --pid --fork --kill-child --mount-proc".split(" ");
  return [
    [program("munged"), "--foreground", "--force", "--num-threads=2", ...munge],
    [program("slurmctld"), "-D", "-f", join(directory, "slurm.conf")],
    ...nodes.map((node) =>
      ["unshare", ...apart, "sh", join(directory, "node.sh"), directory, node] as [
        string,
        ...string[],
      ]
    ),
  ];
}

async function allIdle(
  directory: string,
  count: number,
  daemons: readonly RunningProgram[],
): Promise<void> {
  const output = () => daemons.map((one) => one.stdout() + one.stderr()).join("\n");
  await until("all nodes are idle", async () => {
    if (daemons.some(({ child }) => child.exitCode !== null)) throw new Error(output());
    const { stdout } = await client(directory, ["sinfo", "-h", "-N", "-o", "%t"], {});
    return stdout.match(/^idle$/gm)?.length === count;
  }, 30_000).catch((error) => {
    throw new Error(`${error.message}\n${output()}`);
  });
}

class Cluster implements Slurm {
  readonly home: string;

  constructor(readonly directory: string, readonly stop: () => Promise<void>) {
    this.home = join(directory, "home");
  }

  stepArguments(command: readonly string[], options: StepOptions = {}): readonly string[] {
    return [...options.slurm ?? [], ...this.#withPyxis(command, options.container ?? [])];
  }

  async srun(command: readonly string[], options: StepOptions = {}): Promise<ProgramResult> {
    const args = this.stepArguments(command, options);
    return await client(this.directory, ["srun", ...args], options.env ?? {});
  }

  async step(command: readonly string[], options: StepOptions = {}): Promise<string> {
    const result = await this.srun(command, options);
    if (result.exitCode === 0) return result.stdout;
    throw new Error(
      `${command.join(" ")}: exit ${result.exitCode}\n${result.stdout}${result.stderr}`,
    );
  }

  async batch(script: string, options: StepOptions = {}): Promise<string> {
    const container = options.container ?? [];
    const standIn = this.#withPyxis(['"$0"'], container).join(" ");
    const begin = container.length === 0 || plugin !== undefined
      ? ""
      : `[ -n "\${INSIDE-}" ] || INSIDE=y exec ${standIn}\n`;
    const args = ["--parsable", "--output=job-%j", ...options.slurm ?? []];
    if (plugin !== undefined) args.push(...container);
    const { stdout, stderr } = await client(
      this.directory,
      ["sbatch", ...args],
      options.env ?? {},
      `#!/bin/sh\n${begin}${script}\n`,
    );
    const id = stdout.trim();
    if (!/^\d+$/.test(id)) throw new Error(stdout + stderr);
    await until(`job ${id} ends`, async () => {
      const queue = await client(this.directory, ["squeue", "-h", "-j", id], {});
      return queue.stdout === "";
    }, LIMIT_MS);
    return readFileSync(join(this.home, `job-${id}`), "utf8");
  }

  async client(command: readonly string[]): Promise<ProgramResult> {
    return await client(this.directory, command, {});
  }

  containersOf(node: string): string {
    return join(this.directory, "nodes", node, "data", "containers");
  }

  #withPyxis(command: readonly string[], container: readonly string[]): readonly string[] {
    if (container.length === 0) return command;
    if (plugin !== undefined) return [...container, ...command];
    return [
      "/usr/bin/python3",
      join(this.directory, "pyxis_stand_in.py"),
      ...container,
      "--",
      ...command,
    ];
  }
}

/** Runs one of Slurm's programs as the user, in the user's home. */
async function client(
  directory: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  input = "",
): Promise<ProgramResult> {
  const home = join(directory, "home");
  const [first, ...args] = [...asNobody, ...command];
  return await startProgram(first!, args, {
    cwd: home,
    input,
    timeoutMs: LIMIT_MS,
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: home,
      PWD: home,
      USER: "nobody",
      LANG: "C.UTF-8",
      SLURM_CONF: join(directory, "slurm.conf"),
      ...env,
    },
  }).done;
}

/** As waitUntil, but with time between the questions, each of which starts a program. */
async function until(
  what: string,
  ready: () => Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  await waitUntil(what, async () => {
    if (await ready()) return true;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return false;
  }, timeoutMs);
}

function program(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`There is no ${name}: run scripts/setup --test`);
  return path;
}

function rootEnvironment(): Record<string, string> {
  return { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" };
}
