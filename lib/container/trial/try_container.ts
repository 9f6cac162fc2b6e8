/** Finds out whether containers can start here, by entering namespaces as a start does. */

import { openSync, readFileSync, readlinkSync } from "node:fs";
import type { Settings } from "../../config/settings.ts";
import { DenrootError, messageOf } from "../../errors.ts";
import { closeDescriptor, memoryDescriptor } from "../../system/linux/descriptors.ts";
import { spawnProgram } from "../../system/linux/spawn_program.ts";
import { ownCommand } from "../../system/process/own_command.ts";
import { runPlaces } from "../../tools/run_places.ts";
import { enterProgram } from "../../tools/enter_program.ts";
import { enterSteps } from "../enter/enter_steps.ts";
import { namespacesOf } from "../start/start_request.ts";
import type { MountTrial } from "./try_mounts.ts";

/** What was possible: the namespaces were entered, or something refused it. */
export type Trial = MountTrial | { readonly refusal: string; readonly hint?: string | undefined };

/** What `denroot within` is called with. */
const TRIAL = "trial";
/** Where the program finds denroot itself. */
const OWN_DESCRIPTOR = 3;

/** It leaves nothing behind: what is mounted goes with the process that tries. */
export async function tryContainer(settings: Settings): Promise<Trial> {
  try {
    return await tryIt(settings);
  } catch (error) {
    const hint = error instanceof DenrootError ? error.hint : undefined;
    return { refusal: `it could not be tried: ${messageOf(error)}`, hint };
  }
}

async function tryIt(settings: Settings): Promise<Trial> {
  const answer = memoryDescriptor("denroot-trial", new Uint8Array());
  const own = ownCommand();
  const self = openSync(own.path, "r");
  const nothing = openSync("/dev/null", "r+");
  const second = [...own.argv, "within", TRIAL];
  const steps = enterSteps(
    { ...namespacesOf({ settings }), pid: false, net: false },
    { descriptor: OWN_DESCRIPTOR, path: readlinkSync(own.path) },
  );
  const words = [
    ...["denroot", `else=${OWN_DESCRIPTOR}`, ...second, ":"],
    ...[...steps, `run=${OWN_DESCRIPTOR}`, ...second],
  ];
  try {
    await runSomewhere(settings, words, [nothing, answer, nothing, self]);
    return JSON.parse(readFileSync(`/proc/self/fd/${answer}`, "utf8"));
  } finally {
    for (const descriptor of [answer, self, nothing]) closeDescriptor(descriptor);
  }
}

/** Programs in memory may be forbidden. */
async function runSomewhere(
  settings: Settings,
  words: readonly string[],
  descriptors: readonly number[],
): Promise<void> {
  const program = enterProgram();
  let failure: unknown;
  for (const place of runPlaces(settings)) {
    try {
      using file = await place.put("enter", program);
      return void spawnProgram(file.path, words, descriptors);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
