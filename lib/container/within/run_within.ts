/** The second stage of a start: inside the new namespaces, until this process is the container. */

import { readFileSync } from "node:fs";
import { DenrootError, messageOf } from "../../errors.ts";
import { closeDescriptor, inheritOnlyStandard } from "../../system/linux/descriptors.ts";
import { fakeOwnership } from "../../system/linux/fake_ownership.ts";
import { MS, setPropagation } from "../../system/linux/mounts.ts";
import { raiseLoopback } from "../../system/linux/namespaces.ts";
import type { StartRequest } from "../../types/container.ts";
import { enterError, explained } from "../enter/explain_refusal.ts";
import { becomeCommand } from "./become_command.ts";
import { mountDefaults } from "./default_mounts.ts";
import { makeRoot } from "./make_root.ts";

/** How the second stage speaks to the user. */
export interface WithinOutput {
  /** Prints a result to standard output. */
  result(text: string): void;
  log(level: "info" | "warn", message: string): void;
}

/**
 * `words` are the descriptor of the request and, where `enter` failed, its step and the error's
 * number. Resolves to an exit code only when no command is to run; throws {@link DenrootError}.
 */
export async function runWithin(words: readonly string[], output: WithinOutput): Promise<number> {
  const [descriptor = "", step, errno] = words;
  const request = readRequest(descriptor);
  if (step !== undefined) throw enterError(step, Number(errno));
  try {
    return await start(request, output);
  } catch (error) {
    throw explained(error);
  }
}

async function start(request: StartRequest, _output: WithinOutput): Promise<number> {
  inheritOnlyStandard();
  const { namespaces } = request;
  if (namespaces.net) raiseLoopback();
  // Without a user namespace mounts would reach the host.
  if (namespaces.user === undefined) setPropagation("/", MS.SLAVE | MS.REC);
  using root = await makeRoot(request.root, request);
  if (namespaces.user !== undefined) fakeOwnership();
  mountDefaults(root.path);
  root.finish();
  const [path = "/bin/sh"] = request.command;
  return becomeCommand({
    request,
    root: root.path,
    command: {
      path,
      argv: request.command.length === 0 ? ["sh"] : request.command,
      directory: "/",
      directoryIsOptional: false,
      environment: [],
      refusesLogins: false,
    },
    environment: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    descriptors: [],
  });
}

function readRequest(descriptor: string): StartRequest {
  try {
    const text = readFileSync(`/proc/self/fd/${Number(descriptor)}`, "utf8");
    closeDescriptor(Number(descriptor));
    return JSON.parse(text);
  } catch (cause) {
    throw new DenrootError("usage", `"within" is denroot's own command: ${messageOf(cause)}`, {
      cause,
      hint: "See denroot start --help",
    });
  }
}
