/** `remove`: deletes containers. */

import type { Command } from "commander";
import type { RemoveOptions } from "../../mod.ts";
import { DenrootError } from "../errors.ts";
import { type CommandContext, commandSettings, newCommand } from "./common.ts";
import { ask } from "./output/ask.ts";
import { asKnownError } from "./output/console.ts";

export function removeCommand(context: CommandContext): Command {
  return newCommand("remove", "Delete containers.")
    .explain(
      "A running container is not deleted: denroot names its processes. Under the name enroot, " +
        "--force deletes it too. denroot goes on after a failure, and then ends with status 1.",
    )
    .argument("<NAME...>", "the containers")
    .option("-f, --force", "do not ask, and give processes a few seconds to end")
    .examples("remove pytorch", "remove --force one two")
    .action((names, options) => runRemove(names, options, context));
}

interface Options {
  readonly force?: boolean;
}

async function runRemove(
  names: readonly string[],
  options: Options,
  context: CommandContext,
): Promise<void> {
  const settings = await commandSettings(context);
  const force = options.force === true || settings.forceOverride;
  // Scripts and pyxis rely on what enroot's own option does.
  const evenRunning = force && context.console.programName === "enroot";
  const failures: DenrootError[] = [];
  for (const name of names) {
    try {
      await removeOne(name, { force, evenRunning, settings }, context);
    } catch (error) {
      const known = asKnownError(error);
      if (known === undefined) throw error;
      failures.push(known);
    }
    if (failures.length > 0 && names.length === 1) throw failures[0];
  }
  if (failures.length === 0) return;
  for (const { message, hint } of failures) {
    context.console.log("warn", hint === undefined ? message : `${message}. ${hint}`);
  }
  throw new DenrootError(
    "file",
    `${failures.length} of ${names.length} containers ${
      failures.length === 1 ? "was" : "were"
    } not removed`,
  );
}

async function removeOne(
  name: string,
  options: RemoveOptions & Required<Pick<RemoveOptions, "settings">>,
  context: CommandContext,
): Promise<void> {
  const { findContainer, removeContainer } = await import("../../mod.ts");
  if (!options.force) {
    const { path } = findContainer(options.settings!, name);
    const answer = ask(`Do you really want to delete ${path}? [y/N] `);
    if (answer === undefined) throw noAnswer(path);
    if (answer !== "y" && answer !== "Y") return;
  }
  await removeContainer(name, { ...options, signal: context.signal });
}

function noAnswer(path: string): DenrootError {
  return new DenrootError("aborted", `${path} stays: standard input ended without an answer`, {
    hint: "Use --force to delete it without a question",
  });
}
