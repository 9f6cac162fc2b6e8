/** `copy`: copies an image from any place to any other. */

import { type Command, Option } from "commander";
import { DenrootError } from "../errors.ts";
import { COPY_PLACES } from "../reference/scheme_facts.ts";
import type { BlobFate, CopyOptions, CopyResult } from "../../mod.ts";
import { printableJson, printableLine } from "../text/printable.ts";
import { type CommandContext, listOption, newCommand, workOptions } from "./common.ts";
import { formatBytes, formatSeconds } from "./output/units.ts";
import { addSideOptions, readPasswords, sideOptions } from "./side_options.ts";

export function copyCommand(context: CommandContext): Command {
  const command = newCommand("copy", "Copy an image from any place to any other.")
    .explain(
      "The copy is the same byte for byte: all platforms, artifacts, and the signatures and bills of " +
        "materials that refer to the image. Layers go straight from one side to the other, without a " +
        "disk in between, and those that the destination has are not sent. The name comes last: after " +
        "a failure nothing has it, and the next copy goes on.",
      "--platform, --format and --compress change the digest; denroot then says both digests.",
    )
    .argument("<SOURCE>", "the image; every URI that import takes")
    .argument(
      "<DESTINATION>",
      "where the copy goes; a registry may be named without a tag, by digest",
    )
    .addOption(
      listOption(
        "--platform <PLATFORM>",
        "copy only this platform, such as linux/arm64; repeatable",
      ),
    )
    .option("-a, --arch <ARCH>", "copy only the image for this architecture")
    .option("--sparse", "with --platform, keep the index as it is and send only these images")
    .addOption(new Option("--format <FORMAT>", "convert the image").choices(["docker", "oci"]))
    .addOption(
      new Option("--compress <METHOD>", "compress the layers anew").choices(["gzip", "zstd"]),
    )
    .option(
      "-f, --force",
      "take the name from another image, replace a file, and compare everything",
    )
    .addOption(listOption("--tag <TAG>", "a further tag for the image; repeatable"))
    .option("--no-referrers", "leave behind what refers to the image, such as signatures")
    .addOption(
      listOption(
        "--from-repo <REPOSITORY>",
        "repository of the same registry that may have the layers; repeatable",
      ),
    )
    .option("--cache", "keep the layers in the cache for a later import")
    .option("--dry-run", "only say what would be sent")
    .option("--json", "print the result as JSON");
  addSideOptions(command);
  return command
    .section({ title: "Destination", rows: COPY_PLACES })
    .examples(
      "copy docker://alpine:3.20 docker://far.example/alpine:3.20",
      "copy -a arm64 docker://alpine oci-archive:alpine.tar:latest",
      "copy oci:images:v1 docker-daemon:app:v1",
    )
    .action((source, destination, options) => runCopy(source, destination, options, context));
}

interface Options {
  readonly platform?: readonly string[];
  readonly arch?: string;
  readonly sparse?: boolean;
  readonly format?: "docker" | "oci";
  readonly compress?: "gzip" | "zstd";
  readonly force?: boolean;
  readonly tag?: readonly string[];
  readonly referrers: boolean;
  readonly fromRepo?: readonly string[];
  readonly cache?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly [sideOption: string]: unknown;
}

async function runCopy(
  source: string,
  destination: string,
  options: Options,
  context: CommandContext,
): Promise<void> {
  if (options.json && /^(oci|docker)-archive:\/(dev|proc)\//.test(destination)) {
    throw new DenrootError(
      "usage",
      "The result and the archive cannot both go to standard output",
      {
        hint: "Leave out --json",
      },
    );
  }
  const passwords = readPasswords(options);
  const { copyImage } = await import("../../mod.ts");
  const result = await copyImage(source, destination, {
    ...copyOptions(options),
    source: sideOptions("src", options, passwords),
    destination: sideOptions("dest", options, passwords),
    ...await workOptions(context),
  });
  context.progress.finish();
  if (options.json) context.console.result(printableJson({ ...result }));
  else if (options.dryRun && result.blobs.length > 0) {
    context.console.result(dryRunLines(result, options.tag));
  }
  context.console.log("info", options.dryRun ? drySummary(result) : summary(result));
}

function copyOptions(options: Options): CopyOptions {
  return {
    platforms: options.platform,
    architecture: options.arch,
    sparse: options.sparse,
    format: options.format,
    compression: options.compress,
    force: options.force,
    furtherTags: options.tag,
    withoutReferrers: !options.referrers,
    fromRepositories: options.fromRepo,
    keepInCache: options.cache,
    dryRun: options.dryRun,
  };
}

function summary({ blobs, bytes, digest, destination, seconds }: CopyResult): string {
  if (blobs.length === 0) return `${destination} is ${digest} already`;
  const [present, mounted] = [countOf(blobs, "present"), countOf(blobs, "mounted")];
  const sent = `${blobs.length - present - mounted} of ${blobs.length} blobs (${
    formatBytes(bytes)
  })`;
  const rest = [
    present > 0 ? `, ${present} ${present === 1 ? "was" : "were"} there` : "",
    mounted > 0 ? `, ${mounted} mounted` : "",
  ].join("");
  return `Copied to ${destination}, ${digest}: sent ${sent} in ${formatSeconds(seconds)}${rest}`;
}

function countOf(blobs: CopyResult["blobs"], fate: BlobFate): number {
  return blobs.filter((blob) => blob.fate === fate).length;
}

/** What a dry run prints: a line for each blob, and then for each name. */
function dryRunLines(
  { blobs, digest, destination }: CopyResult,
  furtherTags: readonly string[] = [],
): string {
  const verbs = { present: "there", missing: "send", mountable: "mount or send" };
  const lines = blobs.map(({ fate, digest, size, mediaType }) => {
    const verb = verbs[fate as keyof typeof verbs] ?? fate;
    return `${verb.padEnd(13)}  ${digest}  ${formatBytes(size).padStart(8)}  ${mediaType}`;
  });
  const names = [destination, ...furtherTags.map((tag) => `the tag ${tag}`)];
  return [...lines, ...names.map((name) => `${"name".padEnd(13)}  ${digest}  ${name}`)]
    .map(printableLine).join("\n");
}

function drySummary({ blobs, bytes, destination, digest }: CopyResult): string {
  if (blobs.length === 0) return `${destination} is ${digest} already`;
  const mountable = countOf(blobs, "mountable");
  const missing = countOf(blobs, "missing");
  const rest = mountable > 0 ? `, and mount ${mountable} if the registry allows that` : "";
  return `Would send ${missing} of ${blobs.length} blobs (${formatBytes(bytes)})${rest}; ` +
    `${destination} would be ${digest}`;
}
