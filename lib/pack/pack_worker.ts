/** A thread that merges layers as they come and writes the one tar stream to mksquashfs. */

import { Buffer } from "node:buffer";
import { DenrootError, toPlainError } from "../errors.ts";
import { type LayerChunk } from "../layer/layer_messages.ts";
import { PathError } from "../merge/clean_path.ts";
import { NeedsPlan } from "../merge/needs_plan.ts";
import { ImageLedger } from "../squashfs/image_ledger.ts";
import { verifyImage } from "../squashfs/verify_image.ts";
import { nativeCalls } from "../system/native_calls.ts";
import { type MessagePort, workerInput, workerPort } from "../system/worker.ts";
import { TarError } from "../tar/entry.ts";
import { TarParser, type TarVisitor } from "../tar/tar_parser.ts";
import { Emission, imageTooLarge } from "./emission.ts";
import type { OpenedLayer, PackInput, PackMessage, VerifyRequest } from "./pack_messages.ts";
import { packPlanned } from "./pack_planned.ts";
import { packStreamed } from "./pack_streamed.ts";
import { OtherRootMode } from "./restart.ts";

const input = workerInput<PackInput>();
const port = workerPort();
let readBytes = 0;
/** The layer whose content was refused. */
let faulty: number | undefined;

await main();

async function main(): Promise<void> {
  try {
    const ledger = input.verify ? new ImageLedger() : undefined;
    const emission = new Emission(await nativeCalls(), {
      descriptor: input.descriptor,
      allTime: input.allTime,
      defaultTime: input.defaultTime,
      onBytes: (bytes) => tell({ type: "packed", bytes }),
      ledger,
      maxBytes: input.maxBytes,
    });
    const pack = input.mode === "stream" ? packStreamed : packPlanned;
    await pack(input, readLayer, emission);
    emission.end();
    tell({ type: "end", latestTime: emission.latestTime });
    if (ledger === undefined) return;
    const { unsquashfs, image } = await answer<VerifyRequest>();
    await verifyImage(unsquashfs, image, ledger);
    tell({ type: "verified" });
  } catch (error) {
    tell(verdict(error));
  }
}

function verdict(error: unknown): PackMessage {
  const { mode, rootMode } = input;
  if (error instanceof NeedsPlan) {
    return { type: "restart", mode: "plan", rootMode, reason: readable(error.message) };
  }
  if (error instanceof OtherRootMode) {
    return { type: "restart", mode, rootMode: error.mode, reason: error.message };
  }
  // Of no layer: the places of denroot's own files in the merged tree.
  const known = error instanceof PathError
    ? new DenrootError("layer", readable(error.message), { cause: error })
    : error;
  return { type: "failed", error: toPlainError(known), layer: faulty };
}

async function readLayer(layer: number, visitor: TarVisitor, verify: boolean): Promise<void> {
  const chunks = await open(layer, verify);
  const parser = new TarParser(visitor);
  try {
    await forEachChunk(chunks, (bytes) => {
      if (verify) countBytes(bytes.length);
      parser.push(bytes);
    });
    parser.finish();
  } catch (error) {
    if (!(error instanceof TarError || error instanceof PathError)) throw error;
    faulty = layer;
    throw new DenrootError("layer", `${input.layerNames[layer]}: ${readable(error.message)}`, {
      cause: error,
    });
  }
}

async function open(layer: number, verify: boolean): Promise<MessagePort> {
  tell({ type: "open", layer, verify });
  return (await answer<OpenedLayer>()).port;
}

function answer<T>(): Promise<T> {
  return new Promise((resolve) => port.once("message", resolve));
}

/** Gives each buffer back once it is used up: that is what bounds the memory. */
function forEachChunk(chunks: MessagePort, use: (bytes: Uint8Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    chunks.on("message", (chunk: LayerChunk) => {
      try {
        if (chunk === "end") {
          resolve();
          return;
        }
        use(new Uint8Array(chunk.buffer, 0, chunk.length));
        chunks.postMessage(chunk.buffer, [chunk.buffer]);
      } catch (error) {
        // In this order: closing may still deliver the end that is on its way.
        reject(error);
        chunks.close();
      }
    });
  });
}

function countBytes(count: number): void {
  readBytes += count;
  if (readBytes > input.maxBytes) throw imageTooLarge(input.maxBytes);
}

function tell(message: PackMessage): void {
  port.postMessage(message);
}

/** Names in messages have one character a byte; most are UTF-8. */
function readable(message: string): string {
  return Buffer.from(message, "latin1").toString();
}
