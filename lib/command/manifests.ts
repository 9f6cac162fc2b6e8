/** `manifests`: lists the manifests of a repository, with their tags and sizes. */

import type { Command } from "commander";
import type { ManifestDescription } from "../../mod.ts";
import { printableJson, printableLine } from "../text/printable.ts";
import { type CommandContext, newCommand, REPOSITORY_SECTION, workOptions } from "./common.ts";
import { dateText, shortDigest } from "./output/inspection_table.ts";
import { formatBytes } from "./output/units.ts";

/** A day: `2025-06-10`. */
const DATE_COLUMNS = 10;
const KIND_COLUMNS = 36;

export function manifestsCommand(context: CommandContext): Command {
  return newCommand("manifests", "List the manifests of a repository, a layout or an archive.")
    .explain(
      "denroot looks at each tag. Below its manifest comes what an index lists, and what refers to " +
        "the image, such as signatures. With a tag or a digest it looks at this image alone.",
      "A manifest that has no tag, and that nothing leads to, is not in the list: registries do not " +
        "tell of it. --json prints whole digests, with the field names of az acr manifest " +
        "list-metadata. The date is that of the image, and not the time of its upload.",
    )
    .argument("<URI>", "the repository, or an image in it")
    .option("--no-referrers", "do not ask what refers to each manifest")
    .option("--json", "print the list as JSON")
    .section(REPOSITORY_SECTION)
    .examples(
      "manifests docker://far.example/team/app",
      "manifests --json docker://far.example/team/app > inventory.json",
    )
    .action((uri, options) => runManifests(uri, options, context));
}

interface Options {
  readonly referrers: boolean;
  readonly json?: boolean;
}

async function runManifests(uri: string, options: Options, context: CommandContext): Promise<void> {
  const { listManifests } = await import("../../mod.ts");
  const manifests = await listManifests(uri, {
    withoutReferrers: !options.referrers,
    ...await workOptions(context),
  });
  context.progress.finish();
  if (options.json) context.console.result(printableJson(manifests.map(manifestJson)));
  else if (manifests.length > 0) context.console.result(manifestTable(manifests));
}

/** The fields of Azure's list come first, in its order. */
function manifestJson({ depth: _, ...manifest }: ManifestDescription): object {
  const { architecture, configMediaType, createdTime, digest, imageSize, mediaType, os, tags } =
    manifest;
  return {
    architecture,
    configMediaType,
    createdTime,
    digest,
    imageSize,
    mediaType,
    os,
    tags,
    artifactType: manifest.artifactType,
    subject: manifest.subject,
  };
}

function manifestTable(manifests: readonly ManifestDescription[]): string {
  const rows = manifests.map((manifest) => ({
    name: "  ".repeat(manifest.depth) + shortDigest(manifest.digest),
    kind: printableLine(kindOf(manifest)).slice(0, KIND_COLUMNS),
    manifest,
  }));
  const widest = (texts: readonly string[]) => Math.max(...texts.map(({ length }) => length));
  const [names, kinds] = [
    widest(rows.map(({ name }) => name)),
    widest(rows.map(({ kind }) => kind)),
  ];
  return rows.map(({ name, kind, manifest: { imageSize, createdTime, tags } }) =>
    [
      name.padEnd(names),
      formatBytes(imageSize).padStart(8),
      printableLine(dateText(createdTime) ?? "-").slice(0, DATE_COLUMNS).padEnd(DATE_COLUMNS),
      kind.padEnd(kinds),
      printableLine(tags.join(", ")),
    ].join("  ").trimEnd()
  ).join("\n");
}

/** `linux/arm64`, `index`, or the type of another artifact. */
function kindOf(manifest: ManifestDescription): string {
  const { os, architecture, artifactType, configMediaType } = manifest;
  if (os !== undefined || architecture !== undefined) return `${os ?? "?"}/${architecture ?? "?"}`;
  if (artifactType !== undefined) return artifactType;
  return configMediaType === undefined
    ? "index"
    : IMAGE.test(configMediaType)
    ? "image"
    : configMediaType;
}

const IMAGE = /^application\/vnd\.(oci\.image\.config|docker\.container\.image)\.v1\+json$/;
