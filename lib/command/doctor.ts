/** `doctor`: what this machine lacks for which command. */

import { styleText } from "node:util";
import type { Command } from "commander";
import { DenrootError } from "../errors.ts";
import type { Finding, FindingStatus } from "../../mod.ts";
import { type CommandContext, newCommand } from "./common.ts";
import { printableLine } from "../text/printable.ts";

export function doctorCommand(context: CommandContext): Command {
  return newCommand("doctor", "Check what this machine lacks for which command.")
    .explain(
      "Looks at the machine, the directories, the squashfs tools, proxies, certificates, " +
        "registries.conf, credentials, and user namespaces. It asks only the registries that are " +
        "named, and the mirrors that they have, and sends them no credentials.",
      "Fails when something stands in the way of an import.",
    )
    .argument("[REGISTRY|URI...]", "registries to reach, or images in them")
    .option("--json", "print the findings as JSON")
    .section({
      title: "Status",
      rows: [
        ["ok", "as it should be"],
        ["note", "worth knowing"],
        ["warning", "may be in the way of the commands named behind it"],
        ["error", "stops these commands"],
      ],
    })
    .examples("doctor", "doctor nvcr.io", "doctor --json docker://registry.example:5000/image")
    .action((registries, options) => runDoctor(registries, options, context));
}

async function runDoctor(
  registries: readonly string[],
  options: { readonly json?: boolean },
  context: CommandContext,
): Promise<void> {
  const { examineMachine } = await import("../../mod.ts");
  const findings = await examineMachine({ registries, signal: context.signal });
  context.console.result(
    options.json
      ? JSON.stringify({ findings }, undefined, 2)
      : formatFindings(findings, context.console.colour),
  );
  const errors = findings.filter(({ status }) => status === "error").length;
  if (errors === 0) return;
  throw new DenrootError(
    "unsupported",
    `${errors === 1 ? "One thing stands" : `${errors} things stand`} in the way of an import`,
    { hint: "The lines that begin with error say what to do about it" },
  );
}

const COLOURS: Readonly<Record<FindingStatus, "green" | "cyan" | "yellow" | "red">> = {
  ok: "green",
  note: "cyan",
  warning: "yellow",
  error: "red",
};

const SCREEN_COLUMNS = 80;
const STATUS_COLUMNS = Math.max(...Object.keys(COLOURS).map((status) => status.length));

/** The findings by group, in columns that fit a screen, and what to do below each that needs it. */
export function formatFindings(findings: readonly Finding[], colour: boolean): string {
  const groups = Map.groupBy(findings, ({ group }) => group);
  return [...groups].map(([group, members]) => {
    const width = Math.max(...members.map(({ subject }) => subject.length));
    const rows = members.map((finding) => formatFinding(finding, width, colour));
    return [printableLine(group), ...rows].join("\n");
  }).join("\n\n");
}

function formatFinding(finding: Finding, subjectColumns: number, colour: boolean): string {
  const { status, subject, message, remedy, affects } = finding;
  const whom = status === "ok" ? "" : ` (${affects.join(", ")})`;
  const start = 2 + STATUS_COLUMNS + 2 + subjectColumns + 2;
  const [first = "", ...more] = [
    ...wrap(`${message}${whom}`, SCREEN_COLUMNS - start),
    ...(remedy === undefined ? [] : wrap(`> ${remedy}`, SCREEN_COLUMNS - start, "  ")),
  ];
  const shown = status.padEnd(STATUS_COLUMNS);
  const label = colour ? styleText(COLOURS[status], shown, { validateStream: false }) : shown;
  const head = `  ${label}  ${printableLine(subject).padEnd(subjectColumns)}  ${first}`;
  return [head, ...more.map((line) => `${" ".repeat(start)}${line}`)].join("\n");
}

/** Breaks at blanks; a word that is longer than a line stays whole, to be copied. */
function wrap(text: string, columns: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of printableLine(text).split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length > columns) {
      lines.push(line);
      line = `${indent}${word}`;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}
