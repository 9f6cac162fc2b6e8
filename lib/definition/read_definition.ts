/** A file to the image definition in it. The errors say what other files are. */

import { Buffer, isUtf8 } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import { DenrootError, messageOf, systemCode } from "../errors.ts";
import { SQUASHFS_MAGIC } from "../squashfs/superblock.ts";
import { namesDenroot } from "../text/interpreter_line.ts";
import { realPath } from "../system/files/real_names.ts";
import { type Definition, parseDefinition } from "./parse_definition.ts";

/** A longer file is no definition. */
const MAX_BYTES = 64 * 1024;

/**
 * Reads the definition in `file`, whose first line names denroot as its interpreter. Relative paths
 * in it start from the directory of the file, and not from that of a link to it.
 *
 * Throws code `definition` with the reason, also for a script for `batch`.
 */
export function readDefinition(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Definition {
  const bytes = readStart(file);
  const text = textOf(bytes, file);
  const [interpreter = ""] = text.split(/\r?\n/, 1);
  if (isBatchFile(text, interpreter)) throw batchFile(file);
  if (!namesDenroot(interpreter)) {
    throw noDefinition(file, "its first line is not #!/usr/bin/env denroot", 1);
  }
  if (bytes.length > MAX_BYTES) {
    throw noDefinition(file, `it is longer than ${MAX_BYTES / 1024} KiB`);
  }
  return parseDefinition(text, {
    file,
    directory: path.dirname(realPath(file)),
    lookUp: (variable) => env[variable],
  });
}

/** Reads one byte more than a definition may have, so that a longer one shows. */
function readStart(file: string): Buffer {
  let descriptor: number | undefined;
  try {
    // To open a pipe would wait for its writer.
    if (!fs.statSync(file).isFile()) throw noDefinition(file, "it is not a regular file");
    descriptor = fs.openSync(file, "r");
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length < bytes.length; length += count) {
      count = fs.readSync(descriptor, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    if (systemCode(cause) === "ENOENT") {
      throw new DenrootError("not_found", `There is no file ${file}`, { cause });
    }
    throw new DenrootError("definition", `${file} cannot be read: ${messageOf(cause)}`, { cause });
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

function textOf(bytes: Buffer, file: string): string {
  if (bytes.toString("latin1", 0, SQUASHFS_MAGIC.length) === SQUASHFS_MAGIC) {
    throw new DenrootError("definition", `${file} is an image file, not a definition of an image`, {
      hint: "denroot start starts an image file",
    });
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw noDefinition(file, "it is not a text file", lineAt(bytes, nul));
  try {
    // The limit may cut the text in the middle of a character, which is not an error here.
    return new TextDecoder("utf-8", { fatal: true })
      .decode(bytes, { stream: bytes.length > MAX_BYTES });
  } catch (cause) {
    throw noDefinition(file, "it is not UTF-8 text", firstBadLine(bytes), cause);
  }
}

/** A script for `enroot batch`, which always has a comment that names the root. */
function isBatchFile(text: string, interpreter: string): boolean {
  const directive = namesDenroot(interpreter) ? /^#\s*ENROOT_ROOTFS\b/m : /^#\s*ENROOT_[A-Z_]+\b/m;
  return /^#!.*root\S*\s+batch\b/.test(interpreter) || directive.test(text);
}

function batchFile(file: string): DenrootError {
  return new DenrootError("definition", `${file} is a script for batch, not a definition`, {
    hint: `Run denroot batch ${file}; its first line can be #!/usr/bin/env -S denroot batch`,
  });
}

function firstBadLine(bytes: Buffer): number {
  const bad = bytes.toString("latin1").split("\n").findIndex((line) =>
    !isUtf8(Buffer.from(line, "latin1"))
  );
  return bad + 1;
}

function lineAt(bytes: Buffer, position: number): number {
  return bytes.toString("latin1", 0, position).split("\n").length;
}

function noDefinition(
  file: string,
  reason: string,
  line?: number,
  cause?: unknown,
): DenrootError {
  const place = line === undefined ? file : `${file}, line ${line}`;
  return new DenrootError("definition", `${place}: this is no image definition: ${reason}`, {
    cause,
    hint: "To import an image without a definition, see denroot help import",
  });
}
