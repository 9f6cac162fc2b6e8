/** A thread that reads layers: stored bytes in, the decompressed and verified tar stream out. */

import type { Hash } from "node:crypto";
import { DenrootError, toPlainError } from "../errors.ts";
import { createDigestHash, digestOfHash } from "../oci/digest.ts";
import { workerPort } from "../system/worker.ts";
import type { Digest } from "../types/image.ts";
import { decompress } from "../compress/decompress.ts";
import { ChunkOutput } from "./chunk_output.ts";
import type { Available, Grant, LayerAnswer, LayerJob } from "./layer_messages.ts";
import { readLayerTree } from "./formats/read_layer_tree.ts";
import { readSplitLayer } from "./formats/read_split_layer.ts";
import { Arrival, StoredBytes } from "./stored_bytes.ts";

/** What the running job waits for: more of its file, more memory. */
interface Running {
  readonly arrival: Arrival;
  readonly output: ChunkOutput;
}

const port = workerPort();
let running: Running | undefined;

port.on("message", (message: LayerJob | Available | Grant) => {
  if (message.type === "read") void run(message);
  // A message may come when the job has just ended.
  else if (message.type === "slab") running?.output.add(message.slab);
  else running?.arrival.advance(message.bytes);
});

async function run(job: LayerJob): Promise<void> {
  if (running !== undefined) throw new TypeError("A layer worker reads one layer at a time");
  running = {
    arrival: new Arrival(job.available),
    output: new ChunkOutput(job.output, job.slab, {
      want: () => tell({ type: "want" }),
      spare: (slab) => tell({ type: "spare", slab }),
    }),
  };
  const answer = await answerTo(job, running);
  running = undefined;
  job.output.close();
  tell(answer);
}

async function answerTo(job: LayerJob, { arrival, output }: Running): Promise<LayerAnswer> {
  try {
    await readLayer(job, new StoredBytes(job, arrival), output);
    await output.end();
    return { type: "end" };
  } catch (error) {
    return { type: "end", error: toPlainError(error) };
  }
}

async function readLayer(job: LayerJob, stored: StoredBytes, output: ChunkOutput): Promise<void> {
  // A tar that is stored as it is has one digest for both: to compute it twice would cost most here.
  const isPlain = job.digest !== undefined && job.digest === job.diffId;
  const content = job.diffId === undefined || isPlain ? undefined : createDigestHash(job.diffId);
  for await (const bytes of isPlain ? stored.read() : tarStream(job, stored)) {
    content?.update(bytes);
    await output.write(bytes);
  }
  if (job.digest !== undefined) {
    for await (const _ of stored.read()) { /* What the decompressor left over counts too. */ }
    expectDigest("Its stored bytes are", job.digest, stored.hash!);
  }
  if (content !== undefined) {
    expectDigest("Its content is", job.diffId!, content);
  }
}

function tarStream({ place }: LayerJob, stored: StoredBytes): AsyncIterable<Uint8Array> {
  switch (place.type) {
    case "file":
    case "download":
      return decompress(stored.read(), { here: true });
    case "tar-split":
      return readSplitLayer(place);
    case "tree":
      return readLayerTree(place);
  }
}

function expectDigest(what: string, expected: Digest, hash: Hash): void {
  const actual = digestOfHash(hash, expected);
  if (actual !== expected) {
    throw new DenrootError("digest", `${what} ${actual} instead of ${expected}`);
  }
}

function tell(answer: LayerAnswer): void {
  port.postMessage(answer);
}
