/** `share`: one image for many machines. */

import { Argument, type Command, Option } from "commander";
import { DenrootError, messageOf } from "../errors.ts";
import { parseAge, parseBytes } from "../text/parse_units.ts";
import {
  AGE_FORM,
  architectureOption,
  type CommandContext,
  newCommand,
  SIZE_FORM,
  URI_SECTION,
  wellFormed,
  workOptions,
} from "./common.ts";

const ACTIONS = ["get", "release", "list", "status", "gc"] as const;
type Action = typeof ACTIONS[number];

export function shareCommand(context: CommandContext): Command {
  return newCommand("share", "Get an image that many machines import once.")
    .explain(
      "get prints the path of the finished image in DENROOT_SHARE_PATH. The first machine that asks " +
        "makes it there, the others wait. Without a usable share, each machine imports for itself.",
      "release removes what get left on this machine for a job step. list shows the images, and " +
        "status who imports what. gc removes images, the least recently used first, but none that " +
        "was asked for within DENROOT_SHARE_LONGEST_JOB.",
      "Called by the name denroot-importer, denroot has these actions alone, as pyxis's importer.",
    )
    .addArgument(new Argument("<ACTION>", "what to do").choices([...ACTIONS]))
    .argument("[URI]", "the image, for get")
    .addOption(architectureOption())
    .option("--step <NAME>", "processes with this name get the same image (default: Slurm's step)")
    .addOption(
      new Option("--max-size <SIZE>", "gc: remove images until they have this size, as 2T")
        .argParser(wellFormed(parseBytes, SIZE_FORM)),
    )
    .addOption(
      new Option("--max-age <AGE>", "gc: remove images that were not used for this time, as 30d")
        .argParser(wellFormed(parseAge, AGE_FORM)),
    )
    .option("--dry-run", "gc: change nothing, and show what would be removed")
    .option("--json", "print everything as JSON")
    .option("--openmetrics", "status: print figures for monitoring")
    .section(URI_SECTION)
    .examples(
      "share get docker://nvcr.io#nvidia/pytorch:25.06-py3",
      "share status",
      "share gc --max-size 2T --max-age 30d",
    )
    .action((action, uri, options) => runShare(action, uri, options, context));
}

export interface ShareCommandOptions {
  readonly arch?: string;
  readonly step?: string;
  readonly maxSize?: number;
  /** Milliseconds. */
  readonly maxAge?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly openmetrics?: boolean;
}

/** With which actions an option means something. */
const ACTIONS_OF: Readonly<Record<keyof ShareCommandOptions, readonly Action[]>> = {
  arch: ["get"],
  step: ["get", "release"],
  maxSize: ["gc"],
  maxAge: ["gc"],
  dryRun: ["gc"],
  json: ["get", "list", "status", "gc"],
  openmetrics: ["status"],
};

async function runShare(
  action: Action,
  uri: string | undefined,
  options: ShareCommandOptions,
  context: CommandContext,
): Promise<void> {
  const hint = `See ${context.console.programName} share --help`;
  for (const [name, actions] of Object.entries(ACTIONS_OF)) {
    if (!(name in options) || actions.includes(action)) continue;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new DenrootError("usage", `share ${action} takes no --${flag}`, { hint });
  }
  if (action === "get") {
    if (uri !== undefined) return await runGet(uri, options, context);
    throw new DenrootError("usage", "share get needs the URI of an image", { hint });
  }
  if (uri !== undefined) {
    throw new DenrootError("usage", `share ${action} takes no URI`, { hint });
  }
  if (action === "release") return await runRelease(options, context);
  const { runGc, runList, runStatus } = await import("./output/share_report.ts");
  const run = { list: runList, status: runStatus, gc: runGc }[action];
  context.console.result(await run(options));
}

async function runGet(
  uri: string,
  { arch, step, json }: ShareCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { console, progress } = context;
  const { shareImage } = await import("../../mod.ts");
  const image = await shareImage(uri, {
    architecture: arch,
    step,
    ...await workOptions(context),
  });
  progress.finish();
  console.result(json ? JSON.stringify(image) : image.path);
}

/** A job's end must not fail for it: what stays is removed later. */
async function runRelease(
  { step }: ShareCommandOptions,
  { console }: CommandContext,
): Promise<void> {
  const { releaseStep } = await import("../../mod.ts");
  try {
    await releaseStep({ step });
  } catch (error) {
    console.log("warn", `Not everything of this step could be removed: ${messageOf(error)}`);
  }
}
