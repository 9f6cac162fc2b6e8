/** `tags`: lists the versions of an image. */

import type { Command } from "commander";
import { DenrootError } from "../errors.ts";
import type { TagDescription, TagList } from "../../mod.ts";
import {
  architectureOption,
  type CommandContext,
  commandSettings,
  newCommand,
  REPOSITORY_SECTION,
} from "./common.ts";
import { dateText, platformText, shortDigest } from "./output/inspection_table.ts";
import { inVersionOrder } from "./output/version_order.ts";
import { printableJson, printableLine } from "../text/printable.ts";
import { formatBytes } from "./output/units.ts";

/** A day: `2025-06-10`. */
const DATE_COLUMNS = 10;
const TAG_COLUMNS = 40;

export function tagsCommand(context: CommandContext): Command {
  return newCommand("tags", "List the tags of a repository, a layout or an archive.")
    .explain(
      "For a registry alone it lists the repositories, where the registry shows such a list.",
      "Each tag has a line of its own. Numbers count as numbers: 1.9 comes before 1.10.",
      "With --long each line also has the digest of the manifest, the size of the layers, the part " +
        "that this machine lacks, the estimated size of an image file, and the date; or the error, " +
        "if there is one. denroot then asks for every tag, which registries may count as pulls. It " +
        "refuses more than 1000 tags.",
    )
    .argument("<URI>", "the repository, or an image in it, whose tag has no effect; or a registry")
    .addOption(architectureOption())
    .option("-l, --long", "look at the image of each tag")
    .option("--json", "print the tags as JSON, with the field names of skopeo list-tags")
    .section(REPOSITORY_SECTION)
    .examples(
      "tags docker://nvcr.io#nvidia/pytorch",
      "tags docker://localhost:5000",
      "tags --long --arch arm64 docker://alpine",
    )
    .action((uri, options) => runTags(uri, options, context));
}

interface Options {
  readonly arch?: string;
  readonly long?: boolean;
  readonly json?: boolean;
}

async function runTags(uri: string, options: Options, context: CommandContext): Promise<void> {
  if (options.arch !== undefined && !options.long) {
    throw new DenrootError("usage", "--arch needs --long: a list of names has no architectures", {
      hint: `See ${context.console.programName} tags --help`,
    });
  }
  const { describeTags, listTags, namesRegistry } = await import("../../mod.ts");
  if (namesRegistry(uri)) return await showRepositories(uri, options, context);
  const shared = {
    architecture: options.arch,
    settings: await commandSettings(context),
    signal: context.signal,
  };
  const onProgress = context.progress.handle.bind(context.progress);
  const { reference, tags } = await listTags(uri, { ...shared, onProgress });
  const list = { reference, tags: inVersionOrder(tags) };
  context.progress.finish();
  const descriptions = options.long ? describeTags(list, shared) : undefined;
  if (options.json) {
    context.console.result(printableJson(await tagsJson(list, descriptions)));
  } else if (descriptions !== undefined) {
    const width = tagColumns(list.tags);
    for await (const tag of descriptions) context.console.result(descriptionLine(tag, width));
  } else if (list.tags.length > 0) {
    context.console.result(list.tags.map(printableLine).join("\n"));
  }
}

async function showRepositories(
  uri: string,
  options: Options,
  context: CommandContext,
): Promise<void> {
  if (options.long) {
    throw new DenrootError("usage", "--long needs a repository, and this is a registry alone", {
      hint: "Without --long its repositories are listed",
    });
  }
  const { listRepositories } = await import("../../mod.ts");
  const { registry, repositories } = await listRepositories(uri, {
    settings: await commandSettings(context),
    onProgress: context.progress.handle.bind(context.progress),
    signal: context.signal,
  });
  context.progress.finish();
  if (options.json) {
    context.console.result(printableJson({ Registry: registry, Repositories: repositories }));
  } else if (repositories.length > 0) {
    context.console.result(repositories.map(printableLine).join("\n"));
  }
}

function tagColumns(tags: readonly string[]): number {
  const widest = tags.reduce((width, tag) => Math.max(width, printableLine(tag).length), 0);
  return Math.min(TAG_COLUMNS, widest);
}

/** Lines appear one by one, because a registry with many tags takes its time. */
function descriptionLine(description: TagDescription, width: number): string {
  const tag = printableLine(description.tag).padEnd(width);
  if ("error" in description) return `${tag}  ${printableLine(description.error.message)}`;
  const { digest, bytes, missingBytes, estimatedImageBytes, created, otherPlatform } = description;
  return [
    tag,
    shortDigest(digest),
    formatBytes(bytes).padStart(8),
    missingBytes === 0 ? "here".padEnd(17) : `${formatBytes(missingBytes).padStart(8)} to fetch`,
    `${formatBytes(estimatedImageBytes).padStart(8)} image`,
    printableLine(dateText(created) ?? "-").slice(0, DATE_COLUMNS).padEnd(DATE_COLUMNS),
    otherPlatform === undefined ? "" : printableLine(platformText(otherPlatform)),
  ].join("  ").trimEnd();
}

async function tagsJson(
  { reference, tags }: TagList,
  descriptions: AsyncIterable<TagDescription> | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const { repositoryName } = await import("./output/inspection_json.ts");
  const images: unknown[] = [];
  for await (const image of descriptions ?? []) images.push(imageJson(image));
  return {
    Repository: repositoryName(reference),
    Tags: tags,
    Images: descriptions && images,
  };
}

function imageJson(description: TagDescription): Readonly<Record<string, unknown>> {
  if ("error" in description) {
    const { tag, error } = description;
    return { Tag: tag, Error: error.message };
  }
  const { tag, digest, bytes, missingBytes, estimatedImageBytes, created, otherPlatform } =
    description;
  return {
    Tag: tag,
    ManifestDigest: digest,
    StoredBytes: bytes,
    DownloadBytes: missingBytes,
    EstimatedImageBytes: estimatedImageBytes,
    Created: created ?? null,
    OtherPlatform: otherPlatform && platformText(otherPlatform),
  };
}
