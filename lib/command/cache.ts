/** `cache`: shows what the cache of layers and images holds, and prunes it. */

import { Argument, type Command, Option } from "commander";
import type { Amount, CacheContents, CachedFile, PruneResult } from "../../mod.ts";
import { DenrootError } from "../errors.ts";
import { printableJson, printableLine } from "../text/printable.ts";
import { parseAge, parseBytes } from "../text/parse_units.ts";
import {
  AGE_FORM,
  type CommandContext,
  commandSettings,
  newCommand,
  SIZE_FORM,
  wellFormed,
} from "./common.ts";
import { shortDigest } from "./output/inspection_table.ts";
import { formatBytes } from "./output/units.ts";

/** Largest files that are shown; `--json` has all. */
const SHOWN_FILES = 10;
/** A day: `2025-06-10`. */
const DATE_COLUMNS = 10;

export function cacheCommand(context: CommandContext): Command {
  return newCommand("cache", "Show what the cache of layers and images holds, or prune it.")
    .explain(
      "It looks at ENROOT_CACHE_PATH. A blob is a layer or a configuration. Its date is that of the " +
        "last import by its owner that needed it. An image is what denroot run made for you.",
      "prune removes blobs and images, the least recently used first, and leftovers of imports that " +
        "died. With both limits, a file goes when one of them asks for it. Imports and containers " +
        "may run meanwhile: prune keeps what was used or stored in the last hour, and an image from " +
        "which a container runs. It also keeps other users' files.",
    )
    .addArgument(
      new Argument("[ACTION]", "what to do").choices(["show", "prune"]).default("show", "show"),
    )
    .addOption(
      new Option("--older-than <AGE>", "prune what was not used for this time, as 30d or 12h")
        .argParser(wellFormed(parseAge, AGE_FORM)),
    )
    .addOption(
      new Option("--keep-bytes <SIZE>", "prune until your files have at most this size, as 100G")
        .argParser(wellFormed(parseBytes, SIZE_FORM)),
    )
    .option("--dry-run", "change nothing, and show what prune would remove")
    .option("--json", "print everything as JSON")
    .examples("cache", "cache prune --older-than 30d", "cache prune --keep-bytes 100G --dry-run")
    .action((action, options) => runCache(action, options, context));
}

interface Options {
  /** Milliseconds. */
  readonly olderThan?: number;
  readonly keepBytes?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

async function runCache(
  action: "show" | "prune",
  options: Options,
  context: CommandContext,
): Promise<void> {
  const { console } = context;
  const { olderThan, keepBytes, dryRun, json } = options;
  requireFitting(action, options, console.programName);
  const { cacheContents, pruneCache } = await import("../../mod.ts");
  const { cachePath } = await commandSettings(context);
  if (action === "show") {
    const contents = cacheContents(cachePath);
    console.result(json ? printableJson(contentsJson(contents)) : await contentsTable(contents));
    return;
  }
  const result = pruneCache(cachePath, { olderThanMs: olderThan, keepBytes, dryRun });
  console.result(
    json ? printableJson(pruneJson(result, dryRun)) : await pruneText(result, dryRun),
  );
}

/** Throws code `usage` for a prune without a limit, and for limits without a prune. */
function requireFitting(action: string, options: Options, programName: string): void {
  const { olderThan, keepBytes, dryRun } = options;
  const hint = `See ${programName} cache --help`;
  const isLimited = olderThan !== undefined || keepBytes !== undefined;
  if (action === "prune" && !isLimited) {
    throw new DenrootError("usage", "cache prune needs --older-than or --keep-bytes", { hint });
  }
  if (action === "show" && (isLimited || dryRun)) {
    throw new DenrootError("usage", "Only cache prune takes limits and --dry-run", { hint });
  }
}

async function contentsTable(contents: CacheContents): Promise<string> {
  const { path, blobs, images, unfinished, tools } = contents;
  const { amountOfFiles } = await import("../../mod.ts");
  const others = amountOfFiles(blobs.filter(({ isOwn }) => !isOwn));
  const files = [...blobs, ...images].sort((one, other) =>
    one.used.getTime() - other.used.getTime()
  );
  const [oldest, newest] = [files[0], files.at(-1)];
  const lines = [
    `Cache       ${printableLine(path)}`,
    `Blobs       ${amountText(amountOfFiles(blobs))}`,
    ...(others.count > 0 ? [`Others      other users own ${amountText(others)} of them`] : []),
    `Images      ${amountText(amountOfFiles(images))}`,
    `Unfinished  ${amountText(unfinished)}`,
    `Tools       ${amountText(tools)}`,
  ];
  if (oldest === undefined) return lines.join("\n");
  const largest = [...files].sort((one, other) => other.bytes - one.bytes).slice(0, SHOWN_FILES);
  return [
    ...lines,
    `Used        ${dayOf(oldest)} to ${dayOf(newest!)}`,
    "",
    "Largest files",
    ...largest.map(fileLine),
  ].join("\n");
}

async function pruneText(
  { removed, kept, inUse, others }: PruneResult,
  dryRun = false,
): Promise<string> {
  const { amountOfFiles } = await import("../../mod.ts");
  const verb = dryRun ? "Would remove" : "Removed";
  return [
    ...removed.map(fileLine),
    `${verb} ${filesText(amountOfFiles(removed))}; kept: ${filesText(kept)}`,
    ...(inUse.count > 0 ? [`In use, or used in the last hour: ${filesText(inUse)}`] : []),
    ...(others.count > 0 ? [`Other users own ${filesText(others)}`] : []),
  ].join("\n");
}

/** `3 files (1.2 GiB)`. */
function filesText({ count, bytes }: Amount): string {
  if (count === 0) return "no files";
  return `${count} ${count === 1 ? "file" : "files"} (${formatBytes(bytes)})`;
}

/** `3 (1.2 GiB)`. */
function amountText({ count, bytes }: Amount): string {
  return count === 0 ? "none" : `${count} (${formatBytes(bytes)})`;
}

function fileLine(file: CachedFile): string {
  const note = file.type === "image" ? "  image" : file.isOwn ? "" : "  another user's";
  const size = formatBytes(file.bytes).padStart(8);
  return `  ${shortDigest(file.digest)}  ${size}  used ${dayOf(file)}${note}`;
}

function dayOf({ used }: CachedFile): string {
  return used.toISOString().slice(0, DATE_COLUMNS);
}

function contentsJson({ path, blobs, images, unfinished, tools }: CacheContents) {
  return {
    path,
    bytes: [...blobs, ...images].reduce((sum, file) => sum + file.bytes, 0),
    blobs: blobs.map(fileJson),
    images: images.map(fileJson),
    unfinished,
    tools,
  };
}

function pruneJson({ path, removed, kept, inUse, others }: PruneResult, dryRun = false) {
  return { path, dryRun, removed: removed.map(fileJson), kept, inUse, others };
}

function fileJson({ type, digest, bytes, used, isOwn }: CachedFile) {
  return { type, digest, bytes, used: used.toISOString(), own: isOwn };
}
