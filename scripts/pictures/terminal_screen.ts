/** What a terminal shows in the end, after all that programs wrote to it. */

interface Style {
  readonly colour: string | undefined;
  readonly bold: boolean;
}

/** Neighbouring characters of one style. */
export interface Run extends Style {
  readonly text: string;
  /** Counted from 0. */
  readonly column: number;
}

interface Cell extends Style {
  readonly character: string;
}

const PLAIN: Style = { colour: undefined, bold: false };
/** Codes of SGR for the foreground: 30 to 37, and 90 to 97 for the bright ones. */
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/**
 * Understands what denroot and ordinary tools write: text, line breaks, the cursor's way up, clearing
 * what is below it, and colours. Throws on any other control sequence. Lines do not wrap.
 */
export function renderScreen(output: string): readonly (readonly Run[])[] {
  const rows: Cell[][] = [[]];
  let row = 0;
  let column = 0;
  let style = PLAIN;
  // deno-lint-ignore no-control-regex
  for (const [part, parameters, command] of output.matchAll(/\x1b\[([\d;]*)([A-Za-z])|[^]/gu)) {
    if (command === "m") style = styleAfter(style, parameters!);
    else if (command === "A") row = Math.max(0, row - (Number(parameters) || 1));
    else if (command === "J") clearBelow(rows, row, column);
    else if (command !== undefined || part === "\x1b") {
      throw new Error(`The picture's terminal does not understand ${JSON.stringify(part)}`);
    } else if (part === "\r") column = 0;
    else if (part === "\n") row++;
    else {
      (rows[row] ??= [])[column++] = { ...style, character: part };
    }
    while (rows.length <= row) rows.push([]);
  }
  while (rows.at(-1)?.length === 0) rows.pop();
  return rows.map(runsOf);
}

function clearBelow(rows: Cell[][], row: number, column: number): void {
  rows[row]!.length = Math.min(rows[row]!.length, column);
  rows.length = row + 1;
}

function styleAfter(style: Style, parameters: string): Style {
  let { colour, bold } = style;
  for (const code of parameters.split(";").map(Number)) {
    if (code === 0) [colour, bold] = [undefined, false];
    else if (code === 1) bold = true;
    else if (code === 22) bold = false;
    else if (code === 39) colour = undefined;
    else if (code >= 30 && code <= 37) colour = COLOURS[code - 30];
    else if (code >= 90 && code <= 97) colour = COLOURS[code - 90];
  }
  return { colour, bold };
}

function runsOf(cells: readonly (Cell | undefined)[]): Run[] {
  const runs: Run[] = [];
  for (let column = 0; column < cells.length; column++) {
    const { character, colour, bold } = cells[column] ?? { ...PLAIN, character: " " };
    const last = runs.at(-1);
    if (last !== undefined && last.colour === colour && last.bold === bold) {
      runs[runs.length - 1] = { ...last, text: last.text + character };
    } else {
      runs.push({ column, text: character, colour, bold });
    }
  }
  return runs;
}
