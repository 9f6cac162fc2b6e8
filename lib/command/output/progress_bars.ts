/** The bars of a running import, as lines that fit the terminal. */

import type { ProgressState } from "./progress_state.ts";
import { formatBytes, formatClock } from "./units.ts";

const SHORTEST_BAR = 8;
const LONGEST_BAR = 60;
/** The bars leave this many rows to the text above them. */
const ROWS_KEPT = 4;
const MOST_LAYERS = 12;

/** One line for each layer that arrives, as many as fit, and one line for the total. */
export function renderBars(
  state: ProgressState,
  size: { readonly columns: number; readonly rows: number },
  nowMs: number,
): readonly string[] {
  // A line that fills its row would make some terminals wrap.
  const width = Math.max(1, size.columns - 1);
  const active = state.active();
  const room = Math.max(0, Math.min(MOST_LAYERS, size.rows - ROWS_KEPT));
  const total = state.total(nowMs);
  const digits = String(state.layers.length).length;
  const lines = active.slice(0, room).map((layer) => {
    const rate = layer.rate.sample(layer.received, nowMs);
    const name = `${state.noun} ${String(layer.index + 1).padStart(digits)}/${state.layers.length}`;
    return barLine(name, layer.received, layer.size, rate, width);
  });
  if (active.length > lines.length && room > 0) {
    lines.push(`and ${active.length - lines.length} more`.slice(0, width));
  }
  const nameWidth = `${state.noun} ${state.layers.length}/${state.layers.length}`.length;
  if (total.received < total.size) {
    lines.push(
      barLine("total".padEnd(nameWidth), total.received, total.size, total.rate, width),
    );
  } else if (state.noun === "layer") {
    const verb = state.isWriting ? "written" : "packed";
    const packed = `${formatBytes(total.packed)} ${verb}, ${formatBytes(total.packedRate)}/s`;
    lines.push(`${"total".padEnd(nameWidth)} ${packed}`.slice(0, width));
  }
  return lines;
}

/** `layer 3/12 [=====>    ]  43%   12 MiB / 46 MiB   10 MiB/s   0:03`; narrow lines have less. */
function barLine(
  name: string,
  received: number,
  size: number,
  rate: number,
  width: number,
): string {
  const share = size > 0 ? Math.min(1, received / size) : 1;
  const percent = `${String(Math.floor(share * 100)).padStart(3)}%`;
  const amounts = `${formatBytes(received).padStart(8)} / ${formatBytes(size).padStart(8)}`;
  const speed = `${formatBytes(rate)}/s`.padStart(10);
  const left = (rate > 0 ? formatClock((size - received) / rate) : "-:--").padStart(7);
  for (const details of [[percent, amounts, speed, left], [percent, speed, left], [percent]]) {
    const tail = details.join(" ");
    const room = width - name.length - tail.length - 4;
    if (room < SHORTEST_BAR) continue;
    return `${name} [${bar(share, Math.min(room, LONGEST_BAR))}] ${tail}`;
  }
  return `${name} ${percent}`.slice(0, width);
}

function bar(share: number, length: number): string {
  const filled = Math.floor(share * length);
  const head = filled < length ? ">" : "";
  return `${"=".repeat(filled)}${head}`.padEnd(length);
}
