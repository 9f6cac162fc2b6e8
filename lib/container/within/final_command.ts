/** The command of a container, planned from its files as they are when all is prepared. */

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import { DenrootError, messageOf } from "../../errors.ts";
import { memoryDescriptor } from "../../system/linux/descriptors.ts";
import { quotePath } from "../../text/quote_text.ts";
import type {
  ContainerPlan,
  PlannedCommand,
  PlannedVariable,
  RootedFiles,
  StartRequest,
} from "../../types/container.ts";
import { containerFiles } from "../command/container_files.ts";
import { planCommand } from "../command/plan_command.ts";

export interface FinalCommand {
  readonly command: PlannedCommand;
  /** Descriptors that the command needs: its script lies in memory, outside of the container. */
  readonly descriptors: readonly number[];
}

const SCRIPT_LIMIT_BYTES = 1 << 20;

interface FinalState {
  readonly root: RootedFiles;
  /** The environment that the hooks leave. */
  readonly variables: readonly PlannedVariable[];
  /** As {@link commandScript} gives it. */
  readonly script: Uint8Array | undefined;
}

export function finalCommand(
  { command, workdir, namespaces, settings, dryRun }: StartRequest,
  { root, variables, script }: FinalState,
): FinalCommand {
  const descriptors = script === undefined || dryRun !== undefined
    ? []
    : [memoryDescriptor("denroot-rc", script)];
  const ownUid = process.geteuid!();
  const facts = {
    files: containerFiles(root),
    variables: new Map(variables.map(({ name, value }) => [name, value])),
    insideUid: namespaces.user?.insideUid ?? ownUid,
    outsideUid: namespaces.user?.outsideUid ?? ownUid,
    umask: process.umask(),
    loginShell: settings.loginShell,
    command,
    workdir,
    rc: script === undefined ? undefined : `/proc/self/fd/${descriptors[0] ?? "N"}`,
  };
  return { command: planCommand(facts), descriptors };
}

/**
 * The text of the script that takes the place of the image's: that of `--rc`, which may be a FIFO,
 * comes before `rc()` of the configuration script. Throws codes `not_found` and `limit`.
 */
export function commandScript(
  { request: { rc: path }, rc: body }: ContainerPlan,
): Uint8Array | undefined {
  if (path === undefined) return body === undefined ? undefined : Buffer.from(body);
  let content: Uint8Array;
  try {
    content = readFileSync(path);
  } catch (cause) {
    throw new DenrootError(
      "not_found",
      `The command script ${quotePath(path)} cannot be read: ${messageOf(cause)}`,
      { cause, hint: "Give --rc the path of a script of this machine" },
    );
  }
  if (content.length <= SCRIPT_LIMIT_BYTES) return content;
  throw new DenrootError("limit", `The command script ${quotePath(path)} is longer than 1 MiB`);
}
