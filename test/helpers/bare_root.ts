/** Running an executable as an ordinary user in a root that holds glibc, /proc and /dev/null. */

import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { asNobody, nobody } from "./other_user.ts";
import { findProgram, type ProgramResult, runProgram, startProgram } from "./run_program.ts";

export interface BareRootOptions {
  /** The whole environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Directories to mount: the host's path, and the path inside. */
  readonly writable?: Readonly<Record<string, string>>;
  readonly readable?: Readonly<Record<string, string>>;
  /** Temporary file systems that are mounted noexec. */
  readonly noexec?: readonly string[];
  /** No program can be run from memory either; only root can set that up. */
  readonly noexecMemory?: boolean;
}

/** A directory whose programs and files run in bare roots. */
export class BareRoot {
  readonly #directory: string;
  readonly #program: string;
  readonly #libraries: readonly string[];

  private constructor(directory: string, program: string, libraries: readonly string[]) {
    this.#directory = directory;
    this.#program = program;
    this.#libraries = libraries;
  }

  /** Copies `executable`, and the part of glibc that it needs, into `directory`. */
  static async make(directory: string, executable: string): Promise<BareRoot> {
    const { stdout } = await runProgram("ldd", [executable]);
    const libraries = [...stdout.matchAll(/(?:^|\s)(\/\S+) \(0x/g)].map((match) => match[1]!);
    const program = join(directory, "program");
    copyFileSync(executable, program);
    chmodSync(program, 0o755);
    chmodSync(directory, 0o755);
    return new BareRoot(directory, program, libraries);
  }

  /** Makes a directory that the ordinary user owns. */
  userDirectory(name: string): string {
    const path = join(this.#directory, name);
    mkdirSync(path, { recursive: true });
    for (const one of [path, ...readdirSync(path).map((file) => join(path, file))]) {
      if (isRoot()) chownSync(one, nobody, nobody);
    }
    return path;
  }

  /** Runs the executable in the root; in `/work` if that is one of the directories. */
  async run(args: readonly string[], options: BareRootOptions = {}): Promise<ProgramResult> {
    const { writable = {}, readable = {}, noexec = [], env = {} } = options;
    // bubblewrap keeps a mount's flags, but cannot set noexec itself.
    const mounts = noexec.map((_, index) => this.userDirectory(`noexec-${index}`));
    const bubblewrap = [
      ...["--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--clearenv"],
      ...["--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"],
      ...[this.#program, ...this.#libraries].flatMap((path) => [
        "--ro-bind",
        path,
        path === this.#program ? "/denroot" : path,
      ]),
      ...["--proc", "/proc", "--dev-bind", "/dev/null", "/dev/null"],
      ...Object.entries(readable).flatMap((pair) => ["--ro-bind", ...pair]),
      ...Object.entries(writable).flatMap((pair) => ["--bind", ...pair]),
      ...noexec.flatMap((path, index) => ["--bind", mounts[index]!, path]),
      ...Object.entries(env).flatMap((pair) => ["--setenv", ...pair]),
      ...["--remount-ro", "/"],
      ...Object.values(writable).includes("/work") ? ["--chdir", "/work"] : [],
      ...["/denroot", ...args],
    ];
    const script = mounts.map((path) => `mount -t tmpfs -o noexec,mode=1777 none '${path}' && `)
      .join("") + 'exec bwrap "$@"';
    const namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"];
    const user = isRoot() ? asNobody : [];
    const noexecMemory = 'echo 2 > /proc/sys/vm/memfd_noexec && exec "$@"';
    const processes = options.noexecMemory
      ? ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", noexecMemory, "sh"]
      : [];
    const [command, ...rest] = [...processes, ...user, ...namespace, ...bubblewrap];
    return await startProgram(findProgram(command!) ?? command!, rest, { cwd: "/" }).done;
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
