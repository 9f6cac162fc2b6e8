/** A real session on a terminal, as a picture. */

import { ExampleHome } from "../../test/helpers/example_home.ts";
import { runProgram } from "../../test/helpers/run_program.ts";
import { escapeText, MONOSPACE, svg } from "./svg.ts";
import { renderScreen, type Run } from "./terminal_screen.ts";

/** What is typed. The picture stays below 600 pixels, so that it fits a screen. */
const COMMANDS = [
  "denroot import oci:sample/hello",
  "denroot inspect oci:sample/hello | head -n 9",
  "unsquashfs -lls hello.sqsh etc | grep etc/",
];
const COLUMNS = 108;
/** In pixels. */
const CELL = { width: 8, height: 18 };
const FONT_SIZE = 13.3;
const MARGIN = 16;
/** The window's title bar. */
const BAR = 30;
const COLOURS: Readonly<Record<string, string>> = {
  black: "#484f58",
  red: "#ff7b72",
  green: "#7ee787",
  yellow: "#f2cc60",
  blue: "#79c0ff",
  magenta: "#d2a8ff",
  cyan: "#a5d6ff",
  white: "#ffffff",
};
const TEXT = "#e6edf3";
const BACKGROUND = "#0d1117";

/** Runs the commands, and gives the picture as SVG. */
export async function drawSession(): Promise<string> {
  const rows = renderScreen(await record());
  const width = COLUMNS * CELL.width + 2 * MARGIN;
  const height = BAR + rows.length * CELL.height + 2 * MARGIN;
  const lines = rows.flatMap((runs, row) => runs.map((run) => drawRun(run, row)));
  return svg({ width, height, title: COMMANDS.join("; ") }, [
    `<rect width="${width}" height="${height}" rx="8" fill="${BACKGROUND}"/>`,
    ...["#ff5f57", "#febc2e", "#28c840"].map((fill, index) =>
      `<circle cx="${MARGIN + 6 + index * 20}" cy="${BAR / 2 + 3}" r="6" fill="${fill}"/>`
    ),
    `<g font-family="${MONOSPACE}" font-size="${FONT_SIZE}" fill="${TEXT}" ` +
    'xml:space="preserve" style="white-space: pre">',
    ...lines,
    "</g>",
  ]);
}

/** All that the terminal was sent; what differs from run to run is frozen. */
async function record(): Promise<string> {
  const home = new ExampleHome();
  try {
    const shown = COMMANDS.map((command) =>
      `printf '\\033[32m$\\033[0m \\033[1m%s\\033[0m\\n' '${command}'; ${command}; echo`
    );
    const script = [`stty cols ${COLUMNS} rows 60`, ...shown].join("\n");
    const { stdout } = await runProgram("script", ["-qec", script, "/dev/null"], {
      cwd: home.work,
      env: { ...home.environment(), TERM: "xterm-256color", SHELL: "/bin/sh" },
    });
    return stdout.replaceAll(home.work, "/home/me").replace(/ in \d+\.\d s/g, " in 0.1 s");
  } finally {
    home.remove();
  }
}

/** The text's length is stated, so that fonts of other widths keep the columns. */
function drawRun({ text, column, colour, bold }: Run, row: number): string {
  const trimmed = text.trimEnd();
  if (trimmed === "") return "";
  const x = MARGIN + column * CELL.width;
  const y = BAR + MARGIN + (row + 0.75) * CELL.height;
  const length = trimmed.length * CELL.width;
  const style = (colour === undefined ? "" : ` fill="${COLOURS[colour]}"`) +
    (bold ? ' font-weight="bold"' : "");
  return `<text x="${x}" y="${y}" textLength="${length}"${style}>${escapeText(trimmed)}</text>`;
}
