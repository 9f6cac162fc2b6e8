/** Runs the denroot command as a user would, in a home of its own, under each runtime. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  findProgram,
  type ProgramOptions,
  type ProgramResult,
  type RunningProgram,
  startProgram,
} from "./run_program.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const entryPoint = join(project, "cli.ts");
export const executable = join(project, "dist/denroot");

export interface Runtime {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

export const bun: Runtime = { name: "Bun", command: [program("bun"), entryPoint] };
export const deno: Runtime = {
  name: "Deno",
  command: [program("deno"), "run", "-A", "--no-check", entryPoint],
};

/** Bun, Deno, and the executable where `scripts/build` has made it. */
export const runtimes: readonly Runtime[] = [
  bun,
  deno,
  ...(existsSync(executable)
    ? [{ name: "the executable", command: [executable] } satisfies Runtime]
    : []),
];

/** One test for each runtime, its name added to the title. */
export function testEachRuntime(title: string, body: (denroot: Denroot) => Promise<void>): void {
  for (const runtime of runtimes) testOn(runtime, title, body);
}

/**
 * One test, under the executable, else under Bun: for the many inputs of what every runtime is known
 * to do.
 */
export function testOneRuntime(title: string, body: (denroot: Denroot) => Promise<void>): void {
  testOn(runtimes.find(({ command }) => command[0] === executable) ?? bun, title, body);
}

function testOn(runtime: Runtime, title: string, body: (denroot: Denroot) => Promise<void>): void {
  test(`${title} (${runtime.name})`, async () => {
    const denroot = new Denroot(runtime);
    try {
      await body(denroot);
    } finally {
      denroot.remove();
    }
  });
}

export interface DenrootOptions extends ProgramOptions {
  /** Settings on top of the isolated ones; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A user's home with a denroot command in it. */
export class Denroot {
  readonly runtime: Runtime;
  readonly home: string;
  /** Where output files go: the command's working directory. */
  readonly work: string;
  readonly cache: string;
  readonly temp: string;
  private count = 0;

  constructor(runtime: Runtime = bun) {
    this.runtime = runtime;
    this.home = mkdtempSync(join(tmpdir(), "denroot-home-"));
    this.work = join(this.home, "work");
    this.cache = join(this.home, "cache");
    this.temp = join(this.home, "temp");
    for (const path of [this.work, this.cache, this.temp, join(this.home, "config")]) {
      mkdirSync(path);
    }
  }

  /** Runs to the end, whatever the exit code. */
  async run(args: readonly string[], options: DenrootOptions = {}): Promise<ProgramResult> {
    return await this.start(args, options).done;
  }

  /** Runs to the end and throws, with what it said, unless it exits 0. */
  async succeed(args: readonly string[], options: DenrootOptions = {}): Promise<ProgramResult> {
    const result = await this.run(args, options);
    if (result.exitCode !== 0) {
      throw new Error(
        `denroot ${args.join(" ")} under ${this.runtime.name}: ` +
          `exit ${result.exitCode ?? result.signal}\n${result.stdout}${result.stderr}`,
      );
    }
    return result;
  }

  start(args: readonly string[], options: DenrootOptions = {}): RunningProgram {
    const [command, ...first] = this.runtime.command;
    return startProgram(command, [...first, ...args], {
      timeoutMs: 150_000,
      ...options,
      cwd: options.cwd ?? this.work,
      env: { ...this.environment(), ...options.env },
    });
  }

  /** Imports and returns the image's path. */
  async import(uri: string, options: DenrootOptions & { args?: readonly string[] } = {}) {
    const output = join(this.work, `image-${++this.count}.sqsh`);
    await this.succeed(["import", ...options.args ?? [], "--output", output, uri], options);
    return output;
  }

  environment(): Record<string, string | undefined> {
    return {
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
      HOME: this.home,
      LANG: "C.UTF-8",
      TMPDIR: this.temp,
      ENROOT_CACHE_PATH: this.cache,
      ENROOT_CONFIG_PATH: join(this.home, "config"),
      ENROOT_DATA_PATH: join(this.home, "data"),
      ENROOT_RUNTIME_PATH: join(this.home, "runtime"),
      ENROOT_TEMP_PATH: this.temp,
      ENROOT_SYSCONF_PATH: join(this.home, "sysconf"),
      ENROOT_ALLOW_HTTP: "y",
      // So that all tests can be run with other squashfs tools than denroot's own.
      DENROOT_MKSQUASHFS: process.env.DENROOT_MKSQUASHFS,
      DENROOT_UNSQUASHFS: process.env.DENROOT_UNSQUASHFS,
    };
  }

  /** What lies in the working and temporary directories now; the cache's blobs are not counted. */
  leftovers(): string[] {
    return [this.work, this.temp].flatMap((directory) =>
      readdirSync(directory).map((name) => join(directory, name))
    );
  }

  /** Files of the cache that are not whole blobs, but for what the next import goes on with. */
  unfinishedBlobs(): string[] {
    if (!existsSync(this.cache)) return [];
    return readdirSync(this.cache, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !/\/blobs\/(sha256\/[0-9a-f]{64}|sha512\/[0-9a-f]{128})$/.test(path))
      .filter((path) => !/\/(oci-layout|index\.json|[0-9a-f]+\.partial)$/.test(path));
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A home that is removed after the file's tests. */
export function useDenroot(runtime: Runtime = bun): Denroot {
  const denroot = new Denroot(runtime);
  after(() => denroot.remove());
  return denroot;
}

function program(name: string): string {
  const installed = join(project, "node_modules/.bin", name);
  return existsSync(installed) ? installed : findProgram(name) ?? name;
}
