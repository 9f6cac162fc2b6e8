/** Progress for people: bars on a terminal, a few lines elsewhere. */

import { logLine } from "./console.ts";
import type { ProgressEvent } from "../../../mod.ts";
import { renderBars } from "./progress_bars.ts";
import { ProgressState } from "./progress_state.ts";
import { formatBytes, formatSeconds } from "./units.ts";

interface ProgressOptions {
  readonly write: (text: string) => void;
  /** Whether to draw bars. */
  readonly terminal: boolean;
  readonly colour: boolean;
  readonly size: () => { readonly columns: number; readonly rows: number };
  readonly nowMs: () => number;
}

const REDRAW_MS = 100;
/** Off a terminal, a long transfer prints a line this often. */
const HEARTBEAT_MS = 30_000;
const CLEAR_BELOW = "\x1b[J";

export class Progress {
  readonly #options: ProgressOptions;
  readonly #state = new ProgressState();
  #timer: ReturnType<typeof setInterval> | undefined;
  #drawn: readonly string[] = [];
  #lastDrawMs = -Infinity;
  #lastBeatMs: number;
  #saidFetched = false;
  #saidPacking = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#lastBeatMs = options.nowMs();
  }

  handle(event: ProgressEvent): void {
    const now = this.#options.nowMs();
    this.#state.apply(event, now);
    switch (event.type) {
      case "log":
        this.log(event.level, event.message);
        break;
      case "resolved": {
        const bytes = event.layers.reduce((sum, layer) => sum + layer.size, 0);
        this.log(
          "info",
          `Resolved ${event.digest}: ${count(event.layers.length, "layer")}, ${formatBytes(bytes)}`,
        );
        break;
      }
      case "layer":
        this.#sayFetched(now);
        break;
      case "packed":
      case "written":
        this.#sayPacking();
        break;
    }
    this.#schedule();
  }

  /** Prints a line that stays above the bars. */
  log(level: "info" | "warn", message: string): void {
    this.#erase();
    this.#options.write(logLine(level, message, this.#options.colour));
    if (this.#timer !== undefined) this.#draw();
  }

  /** A timer calls this while there is something to show. */
  tick(): void {
    const now = this.#options.nowMs();
    if (this.#options.terminal) {
      if (now - this.#lastDrawMs >= REDRAW_MS) this.#redraw(now);
    } else if (now - this.#lastBeatMs >= HEARTBEAT_MS) {
      this.#lastBeatMs = now;
      this.#beat(now);
    }
  }

  /** Removes the bars. */
  finish(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#erase();
  }

  #schedule(): void {
    if (this.#timer !== undefined || !this.#state.started) return;
    this.#timer = setInterval(() => this.tick(), REDRAW_MS);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #sayFetched(now: number): void {
    const { layers, cached, fetchedBytes, complete, startMs } = this.#state;
    if (this.#saidFetched || !complete) return;
    this.#saidFetched = true;
    if (cached === layers.length) {
      const found = cached === 1 ? "the layer" : `all ${cached} layers`;
      this.log("info", `Found ${found} on this machine`);
      return;
    }
    const fetched = count(layers.length - cached, "layer");
    const rest = cached > 0 ? `, found ${cached} on this machine` : "";
    const seconds = formatSeconds((now - startMs) / 1000);
    this.log("info", `Fetched ${fetched} (${formatBytes(fetchedBytes)}) in ${seconds}${rest}`);
  }

  #sayPacking(): void {
    if (this.#saidPacking) return;
    this.#saidPacking = true;
    this.log("info", this.#state.isWriting ? "Writing the files" : "Packing the image");
  }

  #beat(now: number): void {
    const { received, size, rate, packed } = this.#state.total(now);
    if (received === size && this.#state.noun === "blob") return;
    const text = received < size
      ? `${this.#state.verb} ${formatBytes(received)} of ${formatBytes(size)}, ${
        formatBytes(rate)
      }/s`
      : `${this.#state.isWriting ? "Wrote" : "Packed"} ${formatBytes(packed)} so far`;
    this.log("info", text);
  }

  #redraw(now: number): void {
    this.#lastDrawMs = now;
    this.#erase();
    this.#draw();
  }

  #draw(): void {
    if (!this.#options.terminal) return;
    this.#drawn = renderBars(this.#state, this.#options.size(), this.#options.nowMs());
    if (this.#drawn.length > 0) this.#options.write(this.#drawn.join("\n") + "\n");
  }

  /** Moves up over the bars. After a resize the terminal may have wrapped their lines. */
  #erase(): void {
    if (this.#drawn.length === 0) return;
    const columns = Math.max(1, this.#options.size().columns);
    const rows = this.#drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)),
      0,
    );
    this.#drawn = [];
    this.#options.write(`\x1b[${rows}A\r${CLEAR_BELOW}`);
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
