/** A thread that merges layers as they come and writes their entries to mksquashfs or to a disk. */

import { Buffer } from "node:buffer";
import { DenrootError, toPlainError } from "../errors.ts";
import type { LayerChunk, PartOfSlab } from "../layer/layer_messages.ts";
import { PathError } from "../merge/clean_path.ts";
import { NeedsPlan } from "../merge/needs_plan.ts";
import { ImageLedger } from "../squashfs/image_ledger.ts";
import { verifyImage } from "../squashfs/verify_image.ts";
import { nativeCalls } from "../system/native_calls.ts";
import { type MessagePort, workerInput, workerPort } from "../system/worker.ts";
import { TarError } from "../tar/entry.ts";
import { TarParser, type TarVisitor } from "../tar/tar_parser.ts";
import { Emission, imageTooLarge } from "./emission.ts";
import type { EntrySink } from "./entry_sink.ts";
import type { PackInput, PackMessage, PackRequest, PackResult, Pass } from "./pack_messages.ts";
import { packPlanned } from "./pack_planned.ts";
import { packStreamed } from "./pack_streamed.ts";
import { OtherRootMode } from "./restart.ts";
import { tarSink } from "./tar_sink.ts";
import { treeSink } from "./tree_sink.ts";
import { watchWidths } from "./wide_directories.ts";

const input = workerInput<PackInput>();
const port = workerPort();
const ledger = input.keepLedger ? new ImageLedger() : undefined;
let readBytes = 0;
/** The layer whose content was refused. */
let faultyLayer: number | undefined;
/** Takes the layer that was asked for. */
let layerOpened: (chunks: MessagePort) => void;

port.on("message", (request: PackRequest) => {
  switch (request.type) {
    case "layer":
      layerOpened(request.chunks);
      break;
    case "verify":
      void report(verify(request.unsquashfs, request.image));
  }
});
await report(pack());

/** Tells the main thread how a piece of work ended. */
async function report(work: Promise<PackResult>): Promise<void> {
  try {
    tell(await work);
  } catch (error) {
    tell(messageFor(error));
  }
}

async function pack(): Promise<PackResult> {
  const emission = new Emission(await sink(), {
    allTime: input.allTime,
    defaultTime: input.defaultTime,
    onBytes: (bytes) => tell({ type: "packed", bytes }),
    ledger,
    onPath: input.watchWidths ? watchWidths(tellOfWidth) : undefined,
    maxBytes: input.maxBytes,
  });
  const packInMode = input.mode === "stream" ? packStreamed : packPlanned;
  await packInMode(input, readLayer, emission);
  emission.end();
  return { type: "end", latestTime: emission.latestTime };
}

async function sink(): Promise<EntrySink> {
  const { output } = input;
  if (output.type === "tar") {
    return tarSink(await nativeCalls(), output.descriptor, output.rootMode);
  }
  return await treeSink(output, (message) => tell({ type: "note", message: readable(message) }));
}

async function verify(unsquashfs: string, image: string): Promise<PackResult> {
  if (ledger === undefined) throw new TypeError("Without keepLedger nothing can be verified");
  await verifyImage(unsquashfs, image, ledger);
  return { type: "verified" };
}

async function readLayer(
  layer: number,
  visitor: TarVisitor,
  pass: Pass,
  next: readonly number[],
): Promise<void> {
  const chunks = await open(layer, pass, next);
  const parser = new TarParser(visitor);
  try {
    await forEachChunk(chunks, (bytes) => {
      if (pass === "first") countBytes(bytes.length);
      parser.push(bytes);
    });
    parser.finish();
  } catch (error) {
    if (!(error instanceof TarError || error instanceof PathError)) throw error;
    faultyLayer = layer;
    throw new DenrootError("layer", `${input.layerNames[layer]}: ${readable(error.message)}`, {
      cause: error,
    });
  }
}

function open(layer: number, pass: Pass, next: readonly number[]): Promise<MessagePort> {
  return new Promise((resolve) => {
    layerOpened = resolve;
    tell({ type: "open", layer, pass, next });
  });
}

/** Confirms each chunk once it is used up: that is what bounds the memory. */
function forEachChunk(chunks: MessagePort, use: (bytes: Uint8Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const slabs = new Map<number, SharedArrayBuffer>();
    chunks.on("message", (chunk: LayerChunk) => {
      try {
        if (chunk === "end") resolve();
        else if ("memory" in chunk) slabs.set(chunk.slab, chunk.memory);
        else {
          const { slab, at, length } = chunk;
          use(new Uint8Array(slabs.get(slab)!, at, length));
          chunks.postMessage({ slab, at } satisfies PartOfSlab);
        }
      } catch (error) {
        // In this order: closing may still deliver the end that is on its way.
        reject(error);
        chunks.close();
      }
    });
  });
}

/** Hidden entries count too: a layer must not keep us reading for ever. */
function countBytes(count: number): void {
  readBytes += count;
  if (readBytes > input.maxBytes) throw imageTooLarge(input.maxBytes);
}

function messageFor(error: unknown): PackMessage {
  const { mode } = input;
  if (error instanceof NeedsPlan) {
    const reason = readable(error.message);
    return { type: "restart", mode: "plan", rootMode: undefined, reason };
  }
  if (error instanceof OtherRootMode) {
    return { type: "restart", mode, rootMode: error.mode, reason: error.message };
  }
  // No layer is to blame: one of denroot's own files has no path in the merged tree.
  const known = error instanceof PathError
    ? new DenrootError("layer", readable(error.message), { cause: error })
    : error;
  return { type: "failed", error: toPlainError(known), layer: faultyLayer };
}

function tellOfWidth(directory: string): void {
  tell({ type: "wide", directory: readable(`/${directory}`) });
}

function tell(message: PackMessage): void {
  port.postMessage(message);
}

/** Names in messages have one character a byte; most names are UTF-8. */
function readable(message: string): string {
  return Buffer.from(message, "latin1").toString();
}
