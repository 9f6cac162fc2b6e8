/** `delete`: deletes a tag or a manifest from a registry. */

import type { Command } from "commander";
import type { DeletePlan } from "../../mod.ts";
import { DenrootError } from "../errors.ts";
import { printableJson, printableLine } from "../text/printable.ts";
import { type CommandContext, newCommand, workOptions } from "./common.ts";

export function deleteCommand(context: CommandContext): Command {
  return newCommand("delete", "Delete a tag or a manifest from a registry.")
    .explain(
      "A tag is deleted alone: the image stays under its digest and its other tags. A digest deletes " +
        "the manifest, and with it all its tags; denroot says which. What refers to it stays.",
      "denroot asks on the terminal before it deletes. Many registries delete whole manifests only, " +
        "and others forbid even that; denroot says so. The space is free once the registry has " +
        "collected its garbage.",
    )
    .argument("<URI>", "the tag, or the manifest by its digest")
    .option("-y, --yes", "do not ask")
    .option("--json", "print what was deleted as JSON")
    .section({
      title: "URI",
      rows: [
        ["docker://[USER@]REGISTRY/IMAGE:TAG", "a tag"],
        ["docker://[USER@]REGISTRY/IMAGE@DIGEST", "a manifest or an index with all its tags"],
      ],
    })
    .examples("delete docker://far.example/team/app:v1")
    .action((uri, options) => runDelete(uri, options, context));
}

interface Options {
  readonly yes?: boolean;
  readonly json?: boolean;
}

async function runDelete(uri: string, options: Options, context: CommandContext): Promise<void> {
  const { deleteImage } = await import("../../mod.ts");
  const { console, progress } = context;
  const deleted = await deleteImage(uri, {
    ...await workOptions(context),
    async confirm(plan) {
      for (const warning of warnings(plan)) console.log("warn", warning);
      if (options.yes) return true;
      const answer = await context.ask(`${question(plan)} [y/N] `);
      if (answer === undefined) throw notAsked();
      return /^y(es)?$/i.test(answer.trim());
    },
  });
  progress.finish();
  if (deleted === undefined) throw new DenrootError("aborted", "Nothing was deleted");
  console.log(
    "info",
    `Deleted ${deleted.uri}${deleted.tag === undefined ? "" : `, which was ${deleted.digest}`}`,
  );
  if (options.json) console.result(printableJson({ ...deleted }));
}

function question({ uri, tag, digest }: DeletePlan): string {
  return printableLine(
    tag === undefined
      ? `Delete the manifest ${uri}?`
      : `Delete the tag ${uri}, which is ${digest}?`,
  );
}

function warnings({ tag, tags, indexes }: DeletePlan): readonly string[] {
  if (tag !== undefined) return [];
  const lost = tags ?? [];
  return [
    ...(lost.length > 0 ? [`With the manifest go its tags: ${lost.join(", ")}`] : []),
    ...(indexes.length > 0
      ? [`The indexes with these tags list the manifest, and will miss it: ${indexes.join(", ")}`]
      : []),
  ];
}

function notAsked(): DenrootError {
  return new DenrootError("usage", "Nobody can be asked, because there is no terminal", {
    hint: "Add --yes to delete without a question",
  });
}
