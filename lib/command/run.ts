/** `run`: brings an image up to date and becomes a container of it. */

import type { Command } from "commander";
import type { InheritedState, Runnable, Settings, StartOptions } from "../../mod.ts";
import { DenrootError, hasCode } from "../errors.ts";
import { architectureOption, type CommandContext, newCommand, URI_SECTION } from "./common.ts";
import { writtenText } from "./output/units.ts";
import { addStartOptions, startOptionsOf, type StartWords } from "./start_options.ts";

export function runCommand(context: CommandContext): Command {
  return addStartOptions(
    newCommand("run", "Start a container of an image, which is imported where it is new.")
      .explain(
        "denroot keeps the image of a URI in ENROOT_CACHE_PATH, and starts the container from that " +
          "file. The next run asks the registry only what the tag means. denroot cache prune removes " +
          "images that nobody used for some time.",
      )
      .argument("<IMAGE>", "a URI, an image file, or an image definition")
      .argument("[COMMAND...]", "the command and its arguments")
      .addOption(architectureOption())
      .option("-f, --force", "import the image again")
      .option("--verify", "read a new image back and compare it with what was packed")
      .option("--offline", "ask no registry: take the image that was run under this name before"),
  )
    .option("--json", "print what --dry-run shows as JSON")
    .section(URI_SECTION)
    .examples(
      "run docker://alpine:3.20 cat /etc/os-release",
      "run -m /data docker://pytorch/pytorch python train.py",
      "run --offline docker://alpine:3.20",
    )
    .passThroughOptions()
    .action((what, command, options) => runRun(what, command, options, context));
}

interface Options extends StartWords {
  readonly arch?: string;
  readonly force?: boolean;
  readonly verify?: boolean;
  readonly offline?: boolean;
}

async function runRun(
  what: string,
  command: string[],
  options: Options,
  context: CommandContext,
): Promise<void> {
  const start = startOptionsOf(options);
  // The rest of the library would take longer to load than the container to start.
  const [{ findRunnable }, { scriptSettings }, { inheritedState }] = await Promise.all([
    import("../definition/find_runnable.ts"),
    import("../container/start/script_settings.ts"),
    import("../container/start/inherited_state.ts"),
  ]);
  const inherited = inheritedState();
  const settings = await scriptSettings(options.conf);
  const finding = findRunnable(what, {
    architecture: options.arch,
    force: options.force === true,
    verify: options.verify === true,
    offline: options.offline === true,
    settings,
    onProgress: (event) => context.progress.handle(event),
    signal: context.signal,
  });
  const runnable = await finding.catch(async (error) => {
    throw hasCode(error, "not_found") ? await orContainer(error, what, settings) : error;
  });
  await becomeRunnable(runnable, { ...start, command, inherited }, context);
}

/** People give the name of a container, as to `start`. */
async function orContainer(
  error: DenrootError,
  what: string,
  settings: Settings,
): Promise<DenrootError> {
  const { findContainer } = await import("../../mod.ts");
  try {
    findContainer(settings, what);
  } catch {
    return error;
  }
  return new DenrootError("not_found", error.message, {
    cause: error,
    hint: `There is a container of this name: denroot start ${what} starts it`,
  });
}

type AskedStart = Omit<StartOptions, "settings"> & {
  /** What this process had at its start. */
  readonly inherited: InheritedState;
};

/** Becomes a container of the image. The definition's script has settings of its own. */
export async function becomeRunnable(
  runnable: Runnable,
  asked: AskedStart,
  { console, progress, letSignalsGo }: CommandContext,
): Promise<void> {
  const [{ withDefined }, { scriptSettings }, { startRequest }, { becomeContainer }] = await Promise
    .all([
      import("../definition/find_runnable.ts"),
      import("../container/start/script_settings.ts"),
      import("../container/start/start_request.ts"),
      import("../container/start/become_container.ts"),
    ]);
  progress.finish();
  const { image, imported, start } = runnable;
  if (imported !== undefined) console.log("info", writtenText(imported));
  const settings = await scriptSettings(asked.configScript ?? start.configScript);
  const request = startRequest(image, withDefined(start, { ...asked, settings }));
  await letSignalsGo();
  await becomeContainer(request, settings);
}
