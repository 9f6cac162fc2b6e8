/** A podman for one test file: root's or an ordinary user's, with its own storage. */

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import { join } from "node:path";
import type { Runtime } from "./denroot_command.ts";
import type { Image } from "./image_fixture.ts";
import { asNobodyWithIds, nobody } from "./other_user.ts";
import {
  type RunningProgram,
  runProgram,
  startProgram,
  stopProgram,
  waitUntil,
} from "./run_program.ts";

export class PodmanUser {
  /** What podman needs to find its storage. */
  readonly environment: Readonly<Record<string, string>>;
  /** The directory of its service's socket. */
  readonly runtimeDirectory: string;
  readonly #home: string;
  /** What makes a command the user's. */
  readonly #prefix: readonly string[];
  readonly #isRoot: boolean;
  #service: RunningProgram | undefined;

  /** Needs root, for either user; works below `directory`. */
  constructor(directory: string, user: "root" | "nobody") {
    this.#isRoot = user === "root";
    this.#home = join(directory, `podman-${user}`);
    this.runtimeDirectory = join(this.#home, "run");
    const at = (name: string) => join(this.#home, name);
    const tables = {
      storage: `[storage]\ndriver = "vfs"\ngraphroot = "${at("storage")}"\n` +
        `runroot = "${at("run/storage")}"\n`,
      // Root's podman would leave its state in /run.
      containers: `[engine]\ntmp_dir = "${at("run/libpod")}"\nevents_logger = "none"\n` +
        `cgroup_manager = "cgroupfs"\n`,
    };
    chmodSync(directory, 0o755);
    for (const path of ["", "run", "run/podman"]) this.#own(at(path), true);
    for (const [name, text] of Object.entries(tables)) {
      writeFileSync(at(`${name}.conf`), text);
      this.#own(at(`${name}.conf`), false);
    }
    this.environment = {
      HOME: this.#home,
      XDG_RUNTIME_DIR: this.runtimeDirectory,
      CONTAINERS_STORAGE_CONF: at("storage.conf"),
      CONTAINERS_CONF: at("containers.conf"),
    };
    this.#prefix = this.#isRoot ? [] : asNobodyWithIds(directory, 300_000);
  }

  get socket(): string {
    return join(this.runtimeDirectory, "podman/podman.sock");
  }

  /** Gives the storage the image, under that name. */
  async load(image: Image, name: string): Promise<void> {
    const archive = join(this.#home, "image.tar");
    const source = `oci:${image.directory}:${image.tag}`;
    const target = `docker-archive:${archive}:${name}`;
    await runProgram("skopeo", ["--insecure-policy", "copy", "--quiet", source, target]);
    this.#own(archive, false);
    await this.run("podman", ["load", "--quiet", "--input", archive]);
    rmSync(archive);
  }

  async startService(): Promise<void> {
    this.#service = startProgram(...this.#command("podman", [
      ...["system", "service", "--time", "0", `unix://${this.socket}`],
    ]));
    await waitUntil("podman's service listens", () => listens(this.socket));
  }

  /** Ends the service but leaves its socket file, as a killed service would. */
  async killService(): Promise<void> {
    const service = this.#service;
    if (service === undefined) return;
    this.#service = undefined;
    await stopProgram(service);
    // A service that ends normally removes the file.
    if (!existsSync(this.socket)) writeFileSync(this.socket, "");
  }

  run(command: string, args: readonly string[]) {
    return runProgram(...this.#command(command, args));
  }

  /** `runtime` as this user. */
  runtime(runtime: Runtime): Runtime {
    const [first, ...rest] = [...this.#prefix, ...runtime.command];
    return { name: `${runtime.name}, as another user`, command: [first!, ...rest] };
  }

  /** Gives the user a directory and the files in it. */
  adopt(path: string): void {
    this.#own(path, false);
    for (const name of readdirSync(path)) this.#own(join(path, name), false);
  }

  async stop(): Promise<void> {
    await this.killService();
    // Ends the process that keeps the user's namespace alive.
    if (!this.#isRoot) await this.run("podman", ["system", "migrate"]);
  }

  #command(
    command: string,
    args: readonly string[],
  ): [string, readonly string[], { env: Record<string, string | undefined>; cwd: string }] {
    const [first, ...rest] = [...this.#prefix, command, ...args];
    const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, ...this.environment };
    return [first!, rest, { env, cwd: this.#home }];
  }

  #own(path: string, make: boolean): void {
    if (make) mkdirSync(path, { mode: 0o700 });
    if (!this.#isRoot) chownSync(path, nobody, nobody);
  }
}

function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.on("error", () => resolve(false));
    connection.on("connect", () => {
      connection.destroy();
      resolve(true);
    });
  });
}
