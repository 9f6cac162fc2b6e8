/** Runs the hooks of one start, one after the other, and collects what they ask for. */

import { DenrootError, messageOf } from "../../errors.ts";
import type {
  BuiltInHook,
  HookContext,
  HookHost,
  MountLine,
  PlannedHook,
  PlannedMount,
  PlannedVariable,
  RootedFiles,
} from "../../types/container.ts";
import { BUILT_IN_HOOKS } from "./built_in_hooks.ts";
import { lastOfEachName } from "./hook_files.ts";
import { fullDiskHint } from "./full_disk.ts";
import { HookScripts } from "./hook_scripts.ts";

export interface HookSessionOptions extends HookHost {
  readonly root: RootedFiles;
  /** The process that becomes the container. */
  readonly pid: number;
  /** What the container will run, as the user gave it. */
  readonly command: readonly string[];
  /** The container's environment, as the plan has it. */
  readonly variables: readonly PlannedVariable[];
  /** Makes a mount at once. */
  mount(mount: PlannedMount): void;
  log(level: "info" | "warn", message: string): void;
  /** Default: those of denroot. */
  readonly builtInHooks?: readonly BuiltInHook[];
}

export class HookSession {
  readonly #options: HookSessionOptions;
  readonly #scripts: HookScripts;
  #variables: readonly PlannedVariable[];
  #mounts: readonly PlannedMount[] = [];

  constructor(options: HookSessionOptions) {
    this.#options = options;
    this.#variables = lastOfEachName(options.variables);
    this.#scripts = new HookScripts(options);
  }

  /** The container's environment; each name once. */
  get variables(): readonly PlannedVariable[] {
    return this.#variables;
  }

  /** The mounts that are to be made when all hooks have run, in their order. */
  get mounts(): readonly PlannedMount[] {
    return this.#mounts;
  }

  /** Throws {@link DenrootError} when the hook fails: the container must not start then. */
  async run(hook: PlannedHook): Promise<void> {
    if (!hook.runs) return;
    if (hook.type === "built-in") return await this.#runBuiltIn(hook.name);
    const results = await this.#scripts.run(hook, {
      variables: this.#variables,
      mounts: this.#mounts,
    });
    this.#variables = results.variables;
    this.#mounts = results.mounts;
  }

  async #runBuiltIn(name: string): Promise<void> {
    const hook = (this.#options.builtInHooks ?? BUILT_IN_HOOKS).find((hook) => hook.name === name);
    if (hook === undefined) throw new TypeError(`no built-in hook is called ${name}`);
    try {
      await hook.run(this.#context(name));
    } catch (error) {
      throw this.#hookError(name, error);
    }
  }

  #context(origin: string): HookContext {
    const { environment, namespaces, settings, root, pid, mount, log } = this.#options;
    const variables = new Map(this.#variables.map(({ name, value }) => [name, value]));
    return {
      ...{ environment, namespaces, settings, root, pid, variables },
      setVariable: (name, value) => {
        variables.set(name, value);
        this.#variables = lastOfEachName([...this.#variables, { name, value, origin }]);
      },
      mount: (line: MountLine) => mount({ ...line, origin }),
      mountLater: (line: MountLine) =>
        this.#mounts = [...this.#mounts, { ...line, pass: 0, origin }],
      log,
    };
  }

  #hookError(name: string, error: unknown): DenrootError {
    const { code, hint } = error instanceof DenrootError
      ? error
      : { code: "file", hint: "" } as const;
    const places = [this.#options.root.path, this.#options.settings.runtimePath];
    return new DenrootError(code, `The built-in hook ${name} failed: ${messageOf(error)}`, {
      cause: error,
      hint: fullDiskHint(places) ||
        hint ||
        "denroot hooks says what it does; an empty file of its name in hooks.d switches it off",
    });
  }
}
