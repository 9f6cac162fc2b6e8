/** The table of `list --fancy`: enroot's, which pyxis reads. */

import type { ListedContainer } from "../../../mod.ts";
import { printableLine } from "../../text/printable.ts";

type Process = ListedContainer["processes"][number];

const TITLES = [
  "NAME",
  "PID",
  "COMM",
  "STATE",
  "STARTED",
  "TIME",
  "MNTNS",
  "USERNS",
  "COMMAND",
] as const;
const GAP = "  ";

/** One line for a container, and one more for each further process. `now` tells old starts from new. */
export function containerTable(containers: readonly ListedContainer[], now: Date): string {
  const rows = [
    [...TITLES],
    ...containers.flatMap(({ name, processes }) =>
      processes.length === 0 ? [[printableLine(name)]] : processes.map((process, at) => [
        at === 0 ? printableLine(name) : "",
        ...processCells(process, now),
      ])
    ),
  ];
  const widths = TITLES.map((_, column) =>
    Math.max(...rows.map((row) => Array.from(row[column] ?? "").length))
  );
  return rows.map((row) =>
    TITLES.map((_, column) => {
      const cell = row[column] ?? "";
      // The last column has no fixed width.
      if (column === TITLES.length - 1) return cell;
      return cell + " ".repeat(widths[column]! - Array.from(cell).length);
    }).join(GAP)
  ).join("\n");
}

function processCells(process: Process, now: Date): string[] {
  const { pid, name, state, started, seconds, mountNamespace, userNamespace, command } = process;
  return [
    String(pid),
    printableLine(name),
    state,
    startText(started, now),
    elapsedText(seconds),
    mountNamespace,
    userNamespace,
    printableLine(command),
  ];
}

/** As ps shows it: the time today, the day this year, else the year. */
function startText(started: Date, now: Date): string {
  if (started.getFullYear() !== now.getFullYear()) return String(started.getFullYear());
  const month = started.toLocaleString("en-US", { month: "short" });
  const day = `${month}${twoDigits(started.getDate())}`;
  if (started.getMonth() !== now.getMonth() || started.getDate() !== now.getDate()) return day;
  return `${twoDigits(started.getHours())}:${twoDigits(started.getMinutes())}`;
}

/** `[[DAYS-]HOURS:]MINUTES:SECONDS`, two digits each. */
function elapsedText(seconds: number): string {
  const [days, hours] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24];
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map(twoDigits).join(":");
  return (days > 0 ? `${days}-` : "") +
    (days > 0 || hours > 0 ? `${twoDigits(hours)}:` : "") + parts;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
