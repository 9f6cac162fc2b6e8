/** Runs the denroot command as a user would, in a home of its own, under each runtime. */

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestOptions } from "node:test";
import {
  findProgram,
  type ProgramOptions,
  type ProgramResult,
  type RunningProgram,
  startProgram,
} from "./run_program.ts";
import { project, releaseFile } from "./release.ts";
import "./usual_umask.ts";

const entryPoint = join(project, "cli.ts");

export interface Runtime {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

export const bun: Runtime = { name: "Bun", command: [program("bun"), entryPoint] };
export const deno: Runtime = {
  name: "Deno",
  command: [program("deno"), "run", "-A", "--no-check", entryPoint],
};

let checked: Runtime | undefined;

/** What users run: `dist/denroot`. Throws when it is missing, or older than its sources. */
export function releasedDenroot(): Runtime {
  if (checked === undefined) {
    const executable = releaseFile("denroot");
    const newer = newerSource(statSync(executable).mtimeMs);
    if (newer !== undefined) {
      throw new Error(`${newer} is newer than dist/denroot: run scripts/build`);
    }
    checked = { name: "the executable", command: [executable] };
  }
  return checked;
}

/** A copy of the executable in `directory`, for users who cannot reach the project's own. */
export function readableDenroot(directory: string): Runtime {
  const copy = join(directory, "denroot");
  copyFileSync(releasedDenroot().command[0], copy);
  chmodSync(copy, 0o755);
  chmodSync(directory, 0o755);
  return { name: "the executable", command: [copy] };
}

/**
 * One test under the executable, and one under Deno: for what the two runtimes do in their own ways,
 * such as processes, sockets, TLS, signals and threads. Deno takes three times as long.
 */
export function testEachRuntime(title: string, body: (denroot: Denroot) => Promise<void>): void {
  testRuntimes([releasedDenroot(), deno], title, body);
}

/** One test under the executable: for what denroot's own code alone decides. */
export function testOneRuntime(title: string, body: (denroot: Denroot) => Promise<void>): void {
  testRuntimes([releasedDenroot()], title, body);
}

/** One test under each of these, its name added to the title. */
export function testRuntimes(
  runtimes: readonly Runtime[],
  title: string,
  body: (denroot: Denroot) => Promise<void>,
  options: TestOptions = {},
): void {
  for (const runtime of runtimes) {
    test(`${title} (${runtime.name})`, options, async () => {
      const denroot = new Denroot(runtime);
      try {
        await body(denroot);
      } finally {
        denroot.remove();
      }
    });
  }
}

interface DenrootOptions extends ProgramOptions {
  /** Settings on top of the isolated ones; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
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

  constructor(runtime: Runtime = releasedDenroot()) {
    this.runtime = runtime;
    this.home = mkdtempSync(join(tmpdir(), "denroot-home-"));
    this.work = join(this.home, "work");
    this.cache = join(this.home, "cache");
    this.temp = join(this.home, "temp");
    for (const path of [this.work, this.cache, this.temp, join(this.home, "config")]) {
      mkdirSync(path);
    }
  }

  /** Runs to the end and accepts any exit code. */
  async run(args: readonly string[], options: DenrootOptions = {}): Promise<ProgramResult> {
    return await this.start(args, options).done;
  }

  /** Runs to the end; throws, with the output, unless the exit code is 0. */
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
      // All tests can then run with other squashfs tools than denroot's own.
      DENROOT_MKSQUASHFS: process.env.DENROOT_MKSQUASHFS,
      DENROOT_UNSQUASHFS: process.env.DENROOT_UNSQUASHFS,
    };
  }

  /** The files in the working and temporary directories; the cache is not among them. */
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
export function useDenroot(runtime: Runtime = releasedDenroot()): Denroot {
  const denroot = new Denroot(runtime);
  after(() => denroot.remove());
  return denroot;
}

/** A file of the program that was changed after `timeMs`. */
function newerSource(timeMs: number): string | undefined {
  const files = readdirSync(join(project, "lib"), { recursive: true, encoding: "utf8" })
    .map((path) => join("lib", path));
  return ["cli.ts", "mod.ts", "package.json", ...files]
    .find((path) => statSync(join(project, path)).mtimeMs > timeMs);
}

function program(name: string): string {
  const installed = join(project, "node_modules/.bin", name);
  return existsSync(installed) ? installed : findProgram(name) ?? name;
}
