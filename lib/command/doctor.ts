/** `doctor`: checks what this machine lacks, and for which commands. */

import { styleText } from "node:util";
import type { Command } from "commander";
import { DenrootError } from "../errors.ts";
import type { Finding, FindingStatus } from "../../mod.ts";
import { type CommandContext, newCommand } from "./common.ts";
import { printableLine } from "../text/printable.ts";
import { SCREEN_COLUMNS, wrapText } from "./output/wrap_text.ts";

export function doctorCommand(context: CommandContext): Command {
  return newCommand("doctor", "Check what this machine lacks, and for which commands.")
    .explain(
      "It looks at the machine, the directories, the squashfs tools, proxies, certificates, " +
        "registries.conf, credentials, and what containers need: it enters namespaces as a start " +
        "does. It asks only the registries that you name and their mirrors, and sends no credentials.",
      "The exit code is 1 if something prevents an import.",
    )
    .argument("[REGISTRY|URI...]", "registries to ask, or images in them")
    .option("--json", "print the findings as JSON")
    .section({
      title: "Status",
      rows: [
        ["ok", "nothing is wrong"],
        ["note", "worth knowing"],
        ["warning", "may prevent the commands in brackets"],
        ["error", "prevents these commands"],
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
    `${errors === 1 ? "One problem prevents" : `${errors} problems prevent`} an import`,
    { hint: "The lines that begin with error say what to do about it" },
  );
}

const COLOURS: Readonly<Record<FindingStatus, "green" | "cyan" | "yellow" | "red">> = {
  ok: "green",
  note: "cyan",
  warning: "yellow",
  error: "red",
};

const SHOWN_COMMANDS = 3;
const STATUS_COLUMNS = Math.max(...Object.keys(COLOURS).map((status) => status.length));

/** The findings by group, in columns that fit a screen, with the remedy below each that has one. */
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
  const commands = status === "ok" ? "" : ` (${listed(affects)})`;
  const start = 2 + STATUS_COLUMNS + 2 + subjectColumns + 2;
  const [first = "", ...more] = [
    ...wrapText(`${message}${commands}`, SCREEN_COLUMNS - start),
    ...(remedy === undefined ? [] : wrapText(`> ${remedy}`, SCREEN_COLUMNS - start, "  ")),
  ];
  const shown = status.padEnd(STATUS_COLUMNS);
  const label = colour ? styleText(COLOURS[status], shown, { validateStream: false }) : shown;
  const head = `  ${label}  ${printableLine(subject).padEnd(subjectColumns)}  ${first}`;
  return [head, ...more.map((line) => `${" ".repeat(start)}${line}`)].join("\n");
}

/** The most important commands come first. */
function listed(commands: readonly string[]): string {
  const more = commands.length - SHOWN_COMMANDS;
  if (more < 2) return commands.join(", ");
  return `${commands.slice(0, SHOWN_COMMANDS).join(", ")} and ${more} more commands`;
}
