/** The figures of docs/performance.json as bars. */

import { escapeText, SANS, svg } from "./svg.ts";

export interface PerformanceFigures {
  readonly image: string;
  readonly machine: string;
  /** denroot's. */
  readonly version: string;
  readonly groups: readonly {
    readonly title: string;
    /** What no import on the machine can beat. */
    readonly limitSeconds: number;
    readonly runs: readonly Measurement[];
  }[];
}

interface Measurement {
  readonly case: string;
  readonly program: string;
  readonly seconds: number;
  /** Times the limit of denroot's squash options, unless the case has enroot's. */
  readonly toLimit: number;
  readonly memoryMiB?: number;
}

/** In pixels. */
const WIDTH = 860;
const LABELS = 380;
const ROW = 26;
const BAR = 16;
const GROUP = 40;
const TOP = 64;
const BOTTOM = 24;
const SCALE_END = WIDTH - 60;

const COLOURS = { denroot: "#1f77b4", enroot: "#9aa4af", limit: "#c0392b", text: "#1f2328" };

export function drawPerformance(figures: PerformanceFigures): string {
  const longest = Math.max(...figures.groups.flatMap(({ runs }) => runs.map((run) => run.seconds)));
  const xOf = (seconds: number) => round(LABELS + (SCALE_END - LABELS) * seconds / longest);
  const elements: string[] = [];
  let y = TOP;
  for (const { title, limitSeconds, runs } of figures.groups) {
    y += GROUP;
    const limit = xOf(limitSeconds);
    elements.push(
      text(16, y - 12, title, 'font-weight="bold"'),
      ...runs.flatMap((run, index) => drawBar(run, y + index * ROW, xOf(run.seconds))),
      `<line x1="${limit}" x2="${limit}" y1="${y - 4}" y2="${y + runs.length * ROW}" ` +
        `stroke="${COLOURS.limit}" stroke-width="2" stroke-dasharray="4 3"/>`,
      text(
        limit,
        y - 12,
        `limit ${limitSeconds} s`,
        `text-anchor="middle" fill="${COLOURS.limit}"`,
      ),
    );
    y += runs.length * ROW;
  }
  const height = y + BOTTOM;
  const heading = `Seconds for an import, denroot ${figures.version}`;
  return svg({ width: WIDTH, height, title: heading }, [
    `<rect width="${WIDTH}" height="${height}" rx="8" fill="#ffffff" stroke="#d0d7de"/>`,
    `<g font-family="${SANS}" font-size="13" fill="${COLOURS.text}">`,
    text(16, 30, heading, 'font-size="16" font-weight="bold"'),
    text(16, 52, `${figures.image}; ${figures.machine}`),
    ...elements,
    "</g>",
  ]);
}

function drawBar({ case: title, program, seconds }: Measurement, y: number, end: number): string[] {
  const colour = program.startsWith("denroot") ? COLOURS.denroot : COLOURS.enroot;
  const middle = y + BAR - 3;
  const name = title.replace(/, \w+'s squash options/, "");
  return [
    text(LABELS - 10, middle, `${program}: ${name}`, 'text-anchor="end"'),
    `<rect x="${LABELS}" y="${y}" width="${
      round(end - LABELS)
    }" height="${BAR}" fill="${colour}"/>`,
    text(end + 8, middle, `${seconds.toFixed(1)} s`),
  ];
}

function text(x: number, y: number, content: string, attributes = ""): string {
  const more = attributes === "" ? "" : ` ${attributes}`;
  return `<text x="${x}" y="${y}"${more}>${escapeText(content)}</text>`;
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
