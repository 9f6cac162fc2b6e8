/**
 * Recipes of tar streams: lines of JSON, each with a segment of the stream or the name of a file
 * whose content comes next (github.com/vbatts/tar-split, tar/storage/entry.go).
 */

import { Buffer } from "node:buffer";
import { DenrootError } from "../errors.ts";

export type RecipeStep =
  /** Bytes of the stream: headers and padding. */
  | { readonly type: "segment"; readonly bytes: Uint8Array }
  /** The content of a file. The name is a `latin1` string, as in the archive. */
  | { readonly type: "file"; readonly name: string; readonly size: number };

/** A line holds all that comes between the contents of two files: PAX headers may be long. */
const MAX_LINE = 64 * 1024 * 1024;
const NEWLINE = 10;
const FILE = 1;
const SEGMENT = 2;

/**
 * Reads a decompressed recipe; files without content are left out. Throws code `layer` when it is
 * damaged.
 */
export async function* readRecipe(recipe: AsyncIterable<Uint8Array>): AsyncIterable<RecipeStep> {
  for await (const line of lines(recipe)) {
    const step = parseStep(line);
    // Links and directories have steps too, without content.
    if (step.type === "segment" || step.size > 0) yield step;
  }
}

function parseStep(line: string): RecipeStep {
  const entry = parseLine(line);
  if (entry.type === SEGMENT && typeof entry.payload === "string") {
    return { type: "segment", bytes: Buffer.from(entry.payload, "base64") };
  }
  const { size = 0 } = entry;
  if (entry.type !== FILE || !Number.isSafeInteger(size) || (size as number) < 0) {
    throw damaged("a line is neither a segment nor a file");
  }
  return { type: "file", name: fileName(entry), size: size as number };
}

type Line = Readonly<Record<string, unknown>>;

function parseLine(line: string): Line {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch (cause) {
    throw damaged("a line is not JSON", cause);
  }
  if (typeof entry !== "object" || entry === null) throw damaged("a line is not a JSON object");
  return entry as Line;
}

/** Names that are not UTF-8 have a field of their own. */
function fileName({ name, name_raw: raw }: Line): string {
  if (typeof raw === "string" && raw !== "") return Buffer.from(raw, "base64").toString("latin1");
  if (typeof name === "string") return Buffer.from(name).toString("latin1");
  throw damaged("a file has no name");
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  let rest: Buffer[] = [];
  let restLength = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end; (end = chunk.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
      const line = Buffer.from(chunk.buffer, chunk.byteOffset + start, end - start);
      yield (rest.length === 0 ? line : Buffer.concat([...rest, line])).toString();
      rest = [];
      restLength = 0;
    }
    rest.push(Buffer.from(chunk.subarray(start)));
    restLength += chunk.length - start;
    if (restLength > MAX_LINE) throw damaged(`a line has more than ${MAX_LINE} bytes`);
  }
  if (restLength > 0) yield Buffer.concat(rest).toString();
}

function damaged(why: string, cause?: unknown): DenrootError {
  return new DenrootError("layer", `The recipe of the layer's tar stream is damaged: ${why}`, {
    cause,
  });
}
