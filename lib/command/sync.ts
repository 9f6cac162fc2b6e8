/** `sync`: brings many images to one place. */

import { Argument, type Command, Option } from "commander";
import { DenrootError } from "../errors.ts";
import type { SyncOptions, SyncResult } from "../../mod.ts";
import { parseBytes } from "../text/parse_units.ts";
import { printableJson, printableLine } from "../text/printable.ts";
import { type CommandContext, listOption, newCommand, wellFormed, workOptions } from "./common.ts";
import { formatBytes, formatSeconds } from "./output/units.ts";
import { addSideOptions, readPasswords, sideOptions } from "./side_options.ts";

const LIST_FORMS: ReadonlyArray<readonly [form: string, meaning: string]> = [
  ["FILE", "one image a line; or YAML as skopeo sync reads it; - is standard input"],
  ["docker://REGISTRY/IMAGE:TAG", "an image; so any other URI that import takes"],
  ["docker://REGISTRY/IMAGE:PATTERN", "tags that fit: 25.*, or versions: '>=3.18 <3.21', ~1.2"],
  ["docker://REGISTRY/PREFIX/", "all images below; also with * and ** in the name"],
  ["oci-archive:FILE, oci:PATH", "all images in it"],
];

const TARGETS: ReadonlyArray<readonly [form: string, meaning: string]> = [
  ["docker://REGISTRY[/PREFIX]", "a registry; each image keeps its name behind the prefix"],
  ["oci:PATH", "an OCI layout directory, with the full names"],
  ["oci-archive:FILE", "a tar file for another network; /dev/stdout is a pipe"],
];

export function syncCommand(context: CommandContext): Command {
  const command = newCommand("sync", "Bring many images to a registry, a layout or an archive.")
    .explain(
      "Each image of the list is copied as the command copy does it, several at once, and takes its " +
        "name at the destination from the image that has it. Images that did not change cost one " +
        "small request at either side.",
    )
    .argument("<LIST>", "an image, a pattern, or a file with a list; several may be given")
    .argument("<DESTINATION...>", "where the images go: the last argument")
    .showArguments(new Argument("<LIST...>"), new Argument("<DESTINATION>"))
    .addOption(
      listOption("--platform <PLATFORM>", "copy only this platform; repeatable"),
    )
    .option("--sparse", "with --platform, keep indexes as they are and send only these images")
    .option("--scoped", "put the images' own registries into their names")
    .option("-f, --force", "compare everything, also where nothing seems to have changed")
    .option("--no-referrers", "leave behind what refers to the images, such as signatures")
    .option("--keep-going", "copy the other images when one fails")
    .addOption(
      listOption("--have <INVENTORY>", "JSON with digests that the other side has; repeatable"),
    )
    .addOption(listOption("--since <ARCHIVE>", "archive that the other side has read; repeatable"))
    .addOption(
      new Option("--split <SIZE>", "write an archive in parts smaller than this, such as 4G")
        .argParser(wellFormed(partSize, "Write a size of at least 1M, such as 700M or 4G.")),
    )
    .option("--prune", "remove from the registry what the list no longer names, after a question")
    .option("-y, --yes", "with --prune, do not ask")
    .option("--dry-run", "only say what would be copied")
    .option("--json", "print the result as JSON");
  addSideOptions(command);
  return command
    .section({ title: "List", rows: LIST_FORMS })
    .section({ title: "Destination", rows: TARGETS })
    .examples(
      "sync images.txt docker://far.example/mirror",
      "sync 'docker://alpine:~3.20' docker://far.example",
    )
    .action((list, others, options) => runSync([list, ...others], options, context));
}

interface Options {
  readonly platform?: readonly string[];
  readonly sparse?: boolean;
  readonly scoped?: boolean;
  readonly force?: boolean;
  readonly referrers: boolean;
  readonly keepGoing?: boolean;
  readonly have?: readonly string[];
  readonly since?: readonly string[];
  readonly split?: number;
  readonly prune?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly [sideOption: string]: unknown;
}

async function runSync(
  places: readonly string[],
  options: Options,
  context: CommandContext,
): Promise<void> {
  const { syncImages } = await import("../../mod.ts");
  const result = await syncImages(places.slice(0, -1), places.at(-1)!, {
    ...syncOptions(options),
    prune: options.prune ? (uris) => mayRemove(uris, options, context) : undefined,
    ...await workOptions(context),
  });
  context.progress.finish();
  context.console.log("info", summary(result, options.dryRun === true));
  if (options.json) context.console.result(printableJson(resultJson(result)));
  requireSuccess(result);
}

async function mayRemove(
  uris: readonly string[],
  options: Options,
  { console, progress, ask }: CommandContext,
): Promise<boolean> {
  progress.finish();
  for (const uri of uris) console.log("info", `${printableLine(uri)} is not in the list`);
  if (options.dryRun) return false;
  if (options.yes) return true;
  const answer = await ask(
    `Remove ${uris.length === 1 ? "it" : `these ${uris.length} tags`}? [y/N] `,
  );
  if (answer !== undefined) return /^y(es)?$/i.test(answer.trim());
  console.log("warn", "Nothing is removed, because nobody can be asked: add --yes");
  return false;
}

function syncOptions(options: Options): SyncOptions {
  const passwords = readPasswords(options);
  return {
    source: sideOptions("src", options, passwords),
    destination: sideOptions("dest", options, passwords),
    platforms: options.platform,
    sparse: options.sparse,
    scoped: options.scoped,
    force: options.force,
    withoutReferrers: !options.referrers,
    keepGoing: options.keepGoing,
    have: options.have,
    since: options.since,
    splitBytes: options.split,
    dryRun: options.dryRun,
  };
}

function partSize(text: string): number | undefined {
  const bytes = parseBytes(text);
  return bytes !== undefined && bytes >= MIN_PART_BYTES ? bytes : undefined;
}

const MIN_PART_BYTES = 2 ** 20;

function summary(
  { destination, images, removed, bytes, seconds }: SyncResult,
  isDry: boolean,
): string {
  const count = (fate: string) => images.filter((image) => image.fate === fate).length;
  const failed = count("failed");
  const parts = [
    isDry
      ? `${count("missing")} would be copied`
      : `${count("copied")} copied (${formatBytes(bytes)})`,
    `${count("present")} present`,
    ...(count("newer") > 0 ? [`${count("newer")} newer there`] : []),
    `${failed} failed`,
    ...(removed.length > 0 ? [`${removed.length} removed`] : []),
  ];
  return `${destination}: ${parts.join(", ")} in ${formatSeconds(seconds)}`;
}

function resultJson(result: SyncResult): Readonly<Record<string, unknown>> {
  const images = result.images.map(({ error, ...image }) => ({
    ...image,
    ...(error && { error: error.message, code: error.code }),
  }));
  return { ...result, images };
}

/** Throws the first failure once more, after the report. */
function requireSuccess({ images }: SyncResult): void {
  const failed = images.filter(({ error }) => error !== undefined);
  const [first] = failed;
  if (first?.error === undefined) return;
  const { message, hint } = first.error;
  // The command itself was right, whatever an image was.
  const code = first.error.code === "usage" ? "unsupported" : first.error.code;
  throw new DenrootError(
    code,
    failed.length === 1
      ? `An image failed: ${message}`
      : `${failed.length} images failed; the first one: ${message}`,
    { cause: first.error, hint },
  );
}
