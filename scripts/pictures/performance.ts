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
    readonly runs: readonly PerformanceRun[];
  }[];
}

export interface PerformanceRun {
  readonly case: string;
  readonly program: string;
  readonly seconds: number;
  /** Times the limit of the group. */
  readonly toLimit: number;
  /** Processor time of the program itself, and of mksquashfs and whatever else it runs. */
  readonly ownCpuSeconds: number;
  readonly otherCpuSeconds: number;
  readonly memoryMiB?: number;
}

/** In pixels. */
const WIDTH = 860;
const LABELS = 380;
const ROW = 26;
const BAR = 11;
const GROUP = 40;
const TOP = 64;
const BOTTOM = 40;
const SCALE_END = WIDTH - 60;

/** The processor time has smaller bars: it is one bar's two parts. */
const CPU_BAR = 5;

const COLOURS = {
  denroot: "#1f77b4",
  enroot: "#9aa4af",
  limit: "#c0392b",
  ownCpu: "#e69f00",
  otherCpu: "#c9d1d9",
  text: "#1f2328",
};

export function drawPerformance(figures: PerformanceFigures): string {
  const longest = Math.max(
    ...figures.groups.flatMap(({ runs }) => runs.map((run) => Math.max(run.seconds, cpuOf(run)))),
  );
  const xOf = (seconds: number) => round(LABELS + (SCALE_END - LABELS) * seconds / longest);
  const elements: string[] = [];
  let y = TOP;
  for (const { title, limitSeconds, runs } of figures.groups) {
    y += GROUP;
    const limit = xOf(limitSeconds);
    elements.push(
      text(16, y - 12, title, 'font-weight="bold"'),
      ...runs.flatMap((run, index) => drawBars(run, y + index * ROW, xOf)),
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
    ...drawLegend(height - BOTTOM + 20),
    "</g>",
  ]);
}

/** The seconds that it took, and below them the processor time of the program and of what it ran. */
function drawBars(run: PerformanceRun, y: number, xOf: (seconds: number) => number): string[] {
  const { case: title, program, seconds, ownCpuSeconds } = run;
  const colour = program.startsWith("denroot") ? COLOURS.denroot : COLOURS.enroot;
  const middle = y + BAR;
  const name = title.replace(/, \w+'s squash options/, "");
  const [own, all] = [xOf(ownCpuSeconds), xOf(cpuOf(run))];
  return [
    text(LABELS - 10, middle, `${program}: ${name}`, 'text-anchor="end"'),
    bar(LABELS, xOf(seconds), y, BAR, colour),
    bar(LABELS, own, y + BAR, CPU_BAR, COLOURS.ownCpu),
    bar(own, all, y + BAR, CPU_BAR, COLOURS.otherCpu),
    text(Math.max(xOf(seconds), all) + 8, middle, `${seconds.toFixed(1)} s`),
  ];
}

function drawLegend(y: number): string[] {
  const entries = [
    [COLOURS.denroot, "seconds"],
    [COLOURS.ownCpu, "processor time of the program itself"],
    [COLOURS.otherCpu, "of mksquashfs and others"],
  ] as const;
  const places = [16, 110, 384];
  return entries.flatMap(([colour, title], index) => [
    bar(places[index]!, places[index]! + 14, y, BAR, colour),
    text(places[index]! + 20, y + BAR - 1, title),
  ]);
}

function cpuOf({ ownCpuSeconds, otherCpuSeconds }: PerformanceRun): number {
  return ownCpuSeconds + otherCpuSeconds;
}

function bar(from: number, to: number, y: number, height: number, colour: string): string {
  const width = round(to - from);
  return `<rect x="${from}" y="${y}" width="${width}" height="${height}" fill="${colour}"/>`;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  const more = attributes === "" ? "" : ` ${attributes}`;
  return `<text x="${x}" y="${y}"${more}>${escapeText(content)}</text>`;
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
