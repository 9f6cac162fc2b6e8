/** All that a container's plan is made from, as plain data. */

import type { BuiltInHook, StartRequest } from "../../types/container.ts";
import type { Configuration } from "./configuration.ts";

export interface PlanInputs {
  readonly request: StartRequest;
  /** Where the root file system is mounted on the host. */
  readonly rootPath: string;
  /** The environment of the process that starts the container. */
  readonly host: Readonly<Record<string, string | undefined>>;
  /** Files of the image; undefined where it has none. */
  readonly image: {
    readonly fstab?: string | undefined;
    readonly environment?: string | undefined;
  };
  readonly configuration: Configuration;
  readonly script?: ScriptOutput | undefined;
  readonly builtInHooks: readonly BuiltInHook[];
}

/** What a configuration script says. */
export interface ScriptOutput {
  readonly path: string;
  /** What `environ()` printed; undefined where the script has no such function. */
  readonly environment?: string | undefined;
  /** What `mounts()` printed. */
  readonly mounts?: string | undefined;
  readonly hasHooks: boolean;
  /** The body of `rc()`. */
  readonly rc?: string | undefined;
}

/** The host's value of a variable, as files and mount tables may refer to it. */
export function hostValue(inputs: PlanInputs, name: string): string | undefined {
  return name === "ENROOT_ROOTFS" ? inputs.rootPath : inputs.host[name];
}
