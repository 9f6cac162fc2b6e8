/** The state of an import, from its events. */

import type { ProgressEvent } from "../../../mod.ts";

interface LayerState {
  readonly index: number;
  size: number;
  received: number;
  cached: boolean;
  readonly rate: Rate;
}

interface Totals {
  readonly received: number;
  readonly size: number;
  /** Bytes a second. */
  readonly rate: number;
  readonly packed: number;
  readonly packedRate: number;
}

export class ProgressState {
  layers: LayerState[] = [];
  /** What the bars stand for. */
  noun: "layer" | "blob" = "layer";
  /** What happens to their bytes. */
  verb: "Received" | "Sent" | "Read" = "Received";
  packed = 0;
  /** Whether what is packed becomes files of a directory. */
  isWriting = false;
  startMs = 0;
  readonly #totalRate = new Rate();
  readonly #packedRate = new Rate();

  apply(event: ProgressEvent, nowMs: number): void {
    if (event.type === "resolved") {
      this.#begin("Received", event.layers, nowMs);
    } else if (event.type === "copying") {
      this.#begin("Sent", event.blobs, nowMs, event.first);
    } else if (event.type === "reading") {
      this.#begin("Read", event.blobs, nowMs);
    } else if (event.type === "blob") {
      const blob = this.layers[event.index];
      if (blob === undefined) return;
      blob.received = event.sent;
      blob.cached = event.fate !== undefined && event.fate !== "sent";
    } else if (event.type === "layer") {
      const layer = this.layers[event.index];
      if (layer === undefined) return;
      layer.size = event.size;
      layer.received = Math.min(event.received, event.size);
      layer.cached = event.cached;
    } else if (event.type === "packed" || event.type === "written") {
      this.isWriting = event.type === "written";
      this.packed = event.bytes;
    }
  }

  #begin(
    verb: "Received" | "Sent" | "Read",
    blobs: readonly { size: number }[],
    nowMs: number,
    first = 0,
  ): void {
    this.verb = verb;
    this.noun = verb === "Received" ? "layer" : "blob";
    if (first === 0) this.startMs = nowMs;
    const added = blobs.map(({ size }, index) => ({
      index: first + index,
      size,
      received: 0,
      cached: false,
      rate: new Rate(),
    }));
    this.layers = [...this.layers.slice(0, first), ...added];
  }

  /** Whether there is something to show. */
  get started(): boolean {
    return this.layers.length > 0;
  }

  get cached(): number {
    return this.layers.filter((layer) => layer.cached).length;
  }

  get complete(): boolean {
    return this.started && this.layers.every((layer) => layer.cached || done(layer));
  }

  get fetchedBytes(): number {
    return this.layers.reduce((sum, layer) => sum + (layer.cached ? 0 : layer.received), 0);
  }

  /** The layers that arrive now, in the order of the image. */
  active(): readonly LayerState[] {
    return this.layers.filter((layer) => !layer.cached && layer.received > 0 && !done(layer));
  }

  /** Takes a sample of the rates; call it once for each drawing. */
  total(nowMs: number): Totals {
    let received = 0;
    let size = 0;
    for (const layer of this.layers) {
      if (layer.cached) continue;
      received += layer.received;
      size += layer.size;
    }
    return {
      received,
      size,
      rate: this.#totalRate.sample(received, nowMs),
      packed: this.packed,
      packedRate: this.#packedRate.sample(this.packed, nowMs),
    };
  }
}

/** A rate over the last few seconds. */
class Rate {
  #lastMs: number | undefined;
  #lastBytes = 0;
  #perSecond = 0;
  #weight = 0;

  /** Bytes a second, given the count so far. */
  sample(bytes: number, nowMs: number): number {
    if (this.#lastMs === undefined) {
      this.#lastMs = nowMs;
      this.#lastBytes = bytes;
      return 0;
    }
    const seconds = (nowMs - this.#lastMs) / 1000;
    if (seconds >= 0.05) {
      const keep = Math.exp(-seconds / MEMORY_S);
      const current = Math.max(0, bytes - this.#lastBytes) / seconds;
      this.#perSecond = this.#perSecond * keep + current * (1 - keep);
      // This is the sum of the weights so far; without it the first seconds would look slow.
      this.#weight = this.#weight * keep + (1 - keep);
      this.#lastMs = nowMs;
      this.#lastBytes = bytes;
    }
    return this.#weight === 0 ? 0 : this.#perSecond / this.#weight;
  }
}

const MEMORY_S = 3;

function done(layer: LayerState): boolean {
  return layer.received >= layer.size;
}
