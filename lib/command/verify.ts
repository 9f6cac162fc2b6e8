/** `verify`: compares an image in two places, or looks whether one place has all of it. */

import type { Command } from "commander";
import type { VerifyProblem, VerifyResult } from "../../mod.ts";
import { DenrootError } from "../errors.ts";
import { printableJson, printableLine } from "../text/printable.ts";
import { type CommandContext, listOption, newCommand, URI_SECTION, workOptions } from "./common.ts";
import { formatBytes, formatSeconds } from "./output/units.ts";
import { addSideOptions, readPasswords, sideOptions } from "./side_options.ts";

export function verifyCommand(context: CommandContext): Command {
  const command = newCommand("verify", "Compare an image in two places, or check a single one.")
    .explain(
      "denroot looks at every index, manifest, configuration and layer, and at what refers to the " +
        "image. It says what a place lacks and what differs, and then fails with exit code 1.",
      "Without --deep it reads the documents, and asks for the sizes of the blobs. With --deep it " +
        "reads all bytes in both places, and compares them with their digests.",
    )
    .argument("<SOURCE>", "the image; every URI that import takes")
    .argument("[DESTINATION]", "the same image elsewhere, as copy wrote it")
    .addOption(
      listOption(
        "--platform <PLATFORM>",
        "look only at this platform, such as linux/arm64; repeatable",
      ),
    )
    .option("-a, --arch <ARCH>", "look only at the image for this architecture")
    .option("--no-referrers", "leave out what refers to the image, such as signatures")
    .option("--deep", "read all bytes, and compare them with their digests")
    .option("--json", "print the result as JSON");
  addSideOptions(command);
  return command
    .section(URI_SECTION)
    .examples(
      "verify docker://alpine:3.20 docker://far.example/alpine:3.20",
      "verify --deep oci-archive:alpine.tar",
    )
    .action((source, destination, options) => runVerify(source, destination, options, context));
}

interface Options {
  readonly platform?: readonly string[];
  readonly arch?: string;
  readonly referrers: boolean;
  readonly deep?: boolean;
  readonly json?: boolean;
  readonly [sideOption: string]: unknown;
}

async function runVerify(
  source: string,
  destination: string | undefined,
  options: Options,
  context: CommandContext,
): Promise<void> {
  const passwords = readPasswords(options);
  const { verifyImage } = await import("../../mod.ts");
  const result = await verifyImage(source, destination, {
    platforms: options.platform,
    architecture: options.arch,
    withoutReferrers: !options.referrers,
    deep: options.deep,
    source: sideOptions("src", options, passwords),
    destination: sideOptions("dest", options, passwords),
    ...await workOptions(context),
  });
  context.progress.finish();
  const { problems } = result;
  if (options.json) context.console.result(printableJson({ ...result }));
  else if (problems.length > 0) context.console.result(problems.map(problemLine).join("\n"));
  if (problems.length > 0) throw notGood(result);
  context.console.log("info", summary(result));
}

function problemLine({ kind, size, message }: VerifyProblem): string {
  return printableLine(`${kind.padEnd("different".length)}  ${message} (${formatBytes(size)})`);
}

function summary(result: VerifyResult): string {
  const { source, destination, digest, destinationDigest, documents, blobs, bytes } = result;
  const what = destination === undefined
    ? `${source} is complete, ${digest}`
    : destinationDigest === digest
    ? `${source} and ${destination} are the same image, ${digest}`
    : `${source}, ${digest}, and ${destination}, ${destinationDigest}, have the same content`;
  const how = result.isDeep ? "all bytes read" : "by their names and sizes";
  return `${what}: ${count(documents, "document")} and ${count(blobs, "blob")} ` +
    `(${formatBytes(bytes)}), ${how}, in ${formatSeconds(result.seconds)}`;
}

function notGood({ problems, source, destination }: VerifyResult): DenrootError {
  const where = destination === undefined ? source : `${source} and ${destination}`;
  const found = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const canCopy = problems.every(({ side, kind }) => side === "destination" && kind === "missing");
  return new DenrootError(
    "digest",
    `There ${problems.length === 1 ? "is" : "are"} ${found} in ${where}`,
    {
      hint: destination !== undefined && canCopy
        ? "Copy the image again with --force: it sends what is missing"
        : undefined,
    },
  );
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
