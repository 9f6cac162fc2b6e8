/**
 * A user's home in which the examples of the documentation run as a reader would type them:
 *
 * - `denroot` is on the PATH, and `sample/hello` lies in the working directory;
 * - each registry that the examples name is a registry on the loopback, by a rule in the user's
 *   `registries.conf`. It has the sample image under every name and every tag;
 * - `far.example` is another registry, which takes images and has none at first. No rule leads there,
 *   because images are only written to the registry that is named: the examples get its real name;
 * - `/etc/enroot` is a directory of this home, and the mirror `cache.example:5000` is that registry.
 */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bun, deno, type Runtime } from "./denroot_command.ts";
import { type ProgramResult, startProgram } from "./run_program.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const ownTools = join(project, "build/squashfs", process.arch);
const REGISTRIES = ["docker.io", "nvcr.io", "ghcr.io", "registry.example", "registry.example:5000"];
const FAR = "far.example";
const MIRROR = "cache.example:5000";

interface ExampleHomeOptions {
  readonly runtime?: Runtime;
  /** Host and port of the registry that stands for all others. */
  readonly registry?: string;
  /** Host and port of the registry that takes images. */
  readonly farRegistry?: string;
}

export class ExampleHome {
  readonly work: string;
  readonly #home: string;
  readonly #runtime: Runtime;
  readonly #registry: string;
  readonly #farRegistry: string;

  constructor(
    { runtime = bun, registry = "127.0.0.1:9", farRegistry = registry }: ExampleHomeOptions = {},
  ) {
    this.#home = mkdtempSync(join(tmpdir(), "denroot-example-"));
    this.#runtime = runtime;
    this.#registry = registry;
    this.#farRegistry = farRegistry;
    this.work = join(this.#home, "work");
    mkdirSync(join(this.work, "sample"), { recursive: true });
    symlinkSync(join(project, "sample/hello"), join(this.work, "sample/hello"));
    for (const name of ["run", "tmp"]) mkdirSync(join(this.#home, name), { mode: 0o700 });
    const words = runtime.command.map((word) => `'${word}'`).join(" ");
    this.#put(join(this.#home, "bin/denroot"), `#!/bin/sh\nexec ${words} "$@"\n`, 0o755);
    const rule = (name: string, location: string) =>
      `[[registry]]\nprefix = "${name}"\nlocation = "${location}"\ninsecure = true\n`;
    const rules = [
      ...REGISTRIES.map((name) => rule(name, registry)),
      rule(farRegistry, farRegistry),
    ];
    this.#put(this.#path("~/.config/containers/registries.conf"), rules.join("\n"));
  }

  /** Writes a file of an example: executable when it begins with `#!`, else private. */
  write(name: string, text: string): void {
    const mirror = `"${this.#registry}/hub"\ninsecure = true`;
    const module = pathToFileURL(join(project, "mod.ts")).href;
    const mine = text.replace(`"${MIRROR}/hub"`, mirror).replaceAll('"./mod.ts"', `"${module}"`);
    this.#put(this.#path(name), mine, text.startsWith("#!") ? 0o755 : 0o600);
  }

  /** Runs a script of bash's, which ends at the first command that fails. */
  async runScript(script: string): Promise<ProgramResult> {
    return await this.#run("bash", [
      "-euo",
      "pipefail",
      "-c",
      script.replaceAll(FAR, this.#farRegistry),
    ]);
  }

  /** Runs a module of {@link write}. */
  async runModule(name: string): Promise<ProgramResult> {
    const [program, ...options] = this.#runtime.command.slice(0, -1);
    // The reader's module lies beside mod.ts, where Deno finds which packages are meant.
    const config = this.#runtime === deno ? [`--config=${join(project, "deno.json")}`] : [];
    return await this.#run(program!, [...options, ...config, join(this.work, name)]);
  }

  environment(): Record<string, string | undefined> {
    const { DENROOT_MKSQUASHFS, DENROOT_UNSQUASHFS } = process.env;
    return {
      // The squashfs tools that denroot takes from source come first, as in scripts/try.
      PATH: `${join(this.#home, "bin")}:${ownTools}:${process.env.PATH}:/usr/sbin:/sbin`,
      HOME: this.#home,
      LANG: "C.UTF-8",
      TZ: "UTC",
      TMPDIR: join(this.#home, "tmp"),
      XDG_RUNTIME_DIR: join(this.#home, "run"),
      ENROOT_SYSCONF_PATH: this.#path("/etc/enroot"),
      DENROOT_MKSQUASHFS,
      DENROOT_UNSQUASHFS,
    };
  }

  /** What an example printed, as a reader's machine prints it. */
  asPrinted(text: string): string {
    const lines = text.split("\n")
      // denroot says where a rule leads; the rule is only here.
      .filter((line) => !(line.startsWith("[INFO]") && line.includes(`(from ${this.#registry}/`)));
    return lines.join("\n").replaceAll(this.#farRegistry, FAR).replaceAll(this.#registry, MIRROR);
  }

  remove(): void {
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 3 });
  }

  #run(command: string, args: readonly string[]): Promise<ProgramResult> {
    const options = { cwd: this.work, env: this.environment(), timeoutMs: 60_000 };
    return startProgram(command, args, options).done;
  }

  #path(name: string): string {
    if (name.startsWith("~/")) return join(this.#home, name.slice(2));
    if (name.startsWith("/")) return join(this.#home, "root", name);
    return resolve(this.work, name);
  }

  #put(path: string, text: string, mode = 0o600): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, mode);
  }
}
