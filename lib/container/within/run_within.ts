/** The second stage of a start: inside the new namespaces, until this process is the container. */

import { readFileSync } from "node:fs";
import { DenrootError, messageOf } from "../../errors.ts";
import {
  closeDescriptor,
  inheritOnlyStandard,
  setInherited,
} from "../../system/linux/descriptors.ts";
import { execute, restoreInherited } from "../../system/linux/execute.ts";
import { fakeOwnership } from "../../system/linux/fake_ownership.ts";
import { MS, setPropagation, switchRoot } from "../../system/linux/mounts.ts";
import { raiseLoopback, unshareCgroups } from "../../system/linux/namespaces.ts";
import { dropCapabilities, forbidNewPrivileges } from "../../system/linux/privileges.ts";
import type { StartRequest } from "../../types/container.ts";
import { enterError } from "../enter/explain_refusal.ts";
import { mountDefaults } from "./default_mounts.ts";
import { makeRoot } from "./make_root.ts";

/**
 * `words` are the descriptor of the request and, where `enter` failed, its step and the error's
 * number. Only returns by throwing {@link DenrootError}.
 */
export async function runWithin(words: readonly string[]): Promise<never> {
  const [descriptor = "", step, errno] = words;
  const request = readRequest(descriptor);
  if (step !== undefined) throw enterError(step, Number(errno));
  inheritOnlyStandard();
  const { namespaces, settings } = request;
  if (namespaces.net) raiseLoopback();
  // Without a user namespace mounts would reach the host.
  if (namespaces.user === undefined) setPropagation("/", MS.SLAVE | MS.REC);
  const root = makeRoot(request.root, settings.runtimePath, request.writable);
  if (namespaces.user !== undefined) fakeOwnership();
  mountDefaults(root.path);
  root.finish();
  await Promise.resolve();
  return becomeCommand(root.path, request);
}

function becomeCommand(root: string, request: StartRequest): never {
  inheritOnlyStandard();
  for (const descriptor of request.descriptors) setInherited(descriptor, true);
  switchRoot(root);
  unshareCgroups();
  forbidNewPrivileges();
  const { user } = request.namespaces;
  if (user !== undefined && user.insideUid !== 0) dropCapabilities();
  restoreInherited(request.fileLimit);
  const [path = "/bin/sh"] = request.command;
  execute(path, request.command.length === 0 ? ["sh"] : request.command, [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ]);
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
