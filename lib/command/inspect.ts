/** `inspect`: shows what an image holds, and what an import of it would fetch and write. */

import { type Command, Option } from "commander";
import {
  architectureOption,
  type CommandContext,
  newCommand,
  URI_SECTION,
  workOptions,
} from "./common.ts";
import { printableJson } from "../text/printable.ts";

export function inspectCommand(context: CommandContext): Command {
  return newCommand("inspect", "Show what a container image holds, without importing it.")
    .explain(
      "denroot fetches and verifies the manifest and the configuration, but no layers. It also " +
        "shows how much an import would fetch, and estimates how much it would write from the " +
        "layers' sizes and ENROOT_SQUASH_OPTIONS.",
      "Long values are cut; --json shows them whole.",
    )
    .argument("<URI>", "the image")
    .addOption(architectureOption())
    .option(
      "--json",
      "print everything as JSON, with the field names of skopeo inspect where it has them",
    )
    .addOption(
      new Option("--raw", "print the manifest or the index that the URI names, byte for byte")
        .conflicts("json"),
    )
    .addOption(
      new Option("--config", "print the image's configuration, byte for byte, also with --raw")
        .conflicts("json"),
    )
    .section(URI_SECTION)
    .section(JSON_SECTION)
    .examples(
      "inspect docker://nvcr.io#nvidia/pytorch:25.06-py3",
      "inspect --json docker://alpine | jq '.Platforms[].Architecture'",
      "inspect --config oci:layout/directory:tag | jq .history",
    )
    .action((uri, options) => runInspect(uri, options, context));
}

const JSON_SECTION = {
  title: "JSON",
  rows: [
    ["Name, Digest, Created, Labels, Layers, ...", "as in skopeo inspect"],
    ["RepoTags", "only of images on this machine"],
    ["Uri", "the image's canonical reference"],
    ["ManifestDigest", "what denroot digest prints"],
    ["Platforms", "what the index lists, with digests"],
    ["LayersData[].Place", "local, cache or missing"],
    ["Config", "user, entrypoint and so on"],
    ["History[].Layer", "the layer's place, from 0"],
    ["StoredBytes", "layers and configuration"],
    ["LocalBytes, CachedBytes, DownloadBytes", "the parts of StoredBytes"],
    ["EstimatedImageBytes", "an estimate of the image file"],
  ],
} as const;

interface Options {
  readonly arch?: string;
  readonly json?: boolean;
  readonly raw?: boolean;
  readonly config?: boolean;
}

async function runInspect(uri: string, options: Options, context: CommandContext): Promise<void> {
  const { inspectImage } = await import("../../mod.ts");
  const image = await inspectImage(uri, {
    architecture: options.arch,
    ...await workOptions(context),
  });
  context.progress.finish();
  if (options.config || options.raw) {
    context.console.help(exactText(options.config ? image.configBytes : image.documents[0]!.bytes));
  } else if (options.json) {
    const { inspectionJson } = await import("./output/inspection_json.ts");
    context.console.result(printableJson(inspectionJson(image)));
  } else {
    const { inspectionTable } = await import("./output/inspection_table.ts");
    context.console.result(inspectionTable(image));
  }
}

/** The bytes were parsed already, so they are UTF-8. A byte order mark stays. */
function exactText(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
