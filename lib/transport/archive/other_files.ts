/** Recognises files that users take for images, and says what they are and what to do with them. */

import { Buffer } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";
import { DenrootError } from "../../errors.ts";
import { namesDenroot } from "../../text/interpreter_line.ts";
import { quotePath } from "../../text/quote_text.ts";

/** Up to the mark of an ISO 9660 image. */
const START_BYTES = 33 * 1024;
/** A tar archive has a NUL in its first block; a text has none. */
const BLOCK_BYTES = 512;

interface FileKind {
  readonly what: string;
  readonly hint: string;
}

const VM_HINT = "denroot reads container images; a machine's disk is no container image";
const TEXT_HINT = "The program that should have written the image may have failed: look into it";

const MAGICS: readonly (readonly [at: number, magic: string, FileKind])[] = [
  [0, "hsqs", {
    what: "a squashfs image",
    hint: "An enroot image needs no import: use it with enroot create",
  }],
  [32, "SIF_MAGIC", {
    what: "a Singularity image (SIF)",
    hint: "Import the container image from which it was built",
  }],
  [0, "PK\x03\x04", { what: "a ZIP archive", hint: "Unpack it, and import the image in it" }],
  [0, "7z\xbc\xaf\x27\x1c", {
    what: "a 7-Zip archive",
    hint: "Unpack it, and import what is in it",
  }],
  [0, "\x7fELF", { what: "a program", hint: "Import the container image that holds it" }],
  [0, "QFI\xfb", { what: "the disk of a virtual machine (qcow2)", hint: VM_HINT }],
  [0, "KDMV", { what: "the disk of a virtual machine (VMDK)", hint: VM_HINT }],
  [0x8001, "CD001", { what: "an ISO 9660 image", hint: VM_HINT }],
];

const TEXTS: readonly (readonly [pattern: RegExp, FileKind])[] = [
  [/^#!/, { what: "a script", hint: "Run it, or import the image that it names" }],
  [/^version https:\/\/git-lfs/, {
    what: "a pointer of Git LFS",
    hint: "Fetch the file that it stands for with git lfs pull",
  }],
  [/^\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head)\b/is, {
    what: "a web page",
    hint: "The download of the image ended at this page: look into it, and fetch the image again",
  }],
  [/^\s*<\?xml|^\s*<\w/, { what: "an XML text", hint: TEXT_HINT }],
  [/^\s*[[{]\s*(?:["{\]}[]|$)/, {
    what: "a JSON text",
    hint: "Where it belongs to an image, import the directory or the archive that holds it",
  }],
  [/^(?:\s*(?:#.*)?\n)*(?:ARG .*\n\s*)*FROM\s+\S+/i, {
    what: "a Dockerfile",
    hint: "Build the image with docker build or podman build, and import that",
  }],
  [/^/, { what: "a text", hint: TEXT_HINT }],
];

/**
 * Throws code `unsupported` when the regular file at `path` is of a kind that is known here. What
 * cannot be read is left to the next step, which reports the same error.
 */
export function refuseOtherFile(path: string): void {
  const kind = kindOf(startOf(path), path);
  if (kind === undefined) return;
  throw new DenrootError(
    "unsupported",
    `${quotePath(path)} is ${kind.what}, not a container image`,
    {
      hint: kind.hint,
    },
  );
}

function kindOf(start: Buffer, path: string): FileKind | undefined {
  const magic = MAGICS.find(([at, magic]) =>
    start.toString("latin1", at, at + magic.length) === magic
  );
  if (magic !== undefined) return magic[2];
  const text = textOf(start);
  if (text === undefined) return undefined;
  if (namesDenroot(text.split(/\r?\n/, 1)[0]!) && !/^#!.*\sbatch\b/.test(text)) {
    return {
      what: "an image definition",
      hint: `Run it: denroot ${path.includes("/") ? "" : "./"}${path}`,
    };
  }
  return TEXTS.find(([pattern]) => pattern.test(text))?.[1];
}

function startOf(path: string): Buffer {
  const bytes = Buffer.alloc(START_BYTES);
  try {
    const fd = openSync(path, "r");
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    return bytes.subarray(0, 0);
  }
}

/** The text at the start of a file; undefined for an empty file and for one that is no text. */
function textOf(start: Buffer): string | undefined {
  const block = start.subarray(0, BLOCK_BYTES);
  // deno-lint-ignore no-control-regex
  if (block.length === 0 || /[\0-\x08\x0e-\x1a]/.test(block.toString("latin1"))) return undefined;
  try {
    // The block may end in the middle of a character.
    return new TextDecoder("utf-8", { fatal: true }).decode(block, { stream: true });
  } catch {
    return undefined;
  }
}
