/** Packs entries with a packer, as the pack worker does, and makes a ledger of them. */

import { Buffer } from "node:buffer";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { arch } from "node:os";
import { fileURLToPath } from "node:url";
import { ImageLedger } from "../../lib/squashfs/image_ledger.ts";
import { type Packer, type PackOptions, startPacker } from "../../lib/squashfs/packer.ts";
import type { Mksquashfs } from "../../lib/tools/find_tools.ts";
import { nativeCalls } from "../../lib/system/native_calls.ts";
import { type EntryHeader, TarWriter } from "../../lib/tar/tar_writer.ts";
import { findProgram } from "../helpers/run_program.ts";

export interface PackedEntry extends Omit<EntryHeader, "size"> {
  readonly content: Uint8Array;
}

export const mksquashfs = findProgram("mksquashfs") ?? "/usr/bin/mksquashfs";
export const unsquashfs = findProgram("unsquashfs") ?? "/usr/bin/unsquashfs";

const built = fileURLToPath(new URL(`../../build/squashfs/${arch()}`, import.meta.url));

/** The host's tools, and denroot's own where they are built. */
export const toolPairs: readonly {
  readonly title: string;
  readonly mksquashfs: string;
  readonly unsquashfs: string;
}[] = [
  { title: "the host's", mksquashfs, unsquashfs },
  ...(existsSync(built)
    ? [{
      title: "denroot's own",
      mksquashfs: `${built}/mksquashfs`,
      unsquashfs: `${built}/unsquashfs`,
    }]
    : []),
];

/** An entry. Each field that is left out gets a plain value. */
export function entry(path: string, more: Partial<PackedEntry> | string = {}): PackedEntry {
  const given = typeof more === "string" ? { content: Buffer.from(more, "latin1") } : more;
  return {
    type: "file",
    path,
    linkPath: "",
    mode: 0o644,
    mtime: 1_600_000_000,
    deviceMajor: 0,
    deviceMinor: 0,
    content: new Uint8Array(),
    ...given,
  };
}

/** A path stands for a mksquashfs of version 4.5.1. */
export function packOptions(
  program: string | Mksquashfs,
  more: Partial<PackOptions> = {},
): PackOptions {
  return {
    mksquashfs: typeof program !== "string" ? program : {
      path: program,
      location: program,
      label: program,
      version: "4.5.1",
      origin: "setting",
      setsRootTime: false,
      takesWideDirectories: false,
      [Symbol.dispose]() {},
    },
    squashOptions: "-comp gzip -Xcompression-level 1",
    processors: 1,
    rootMode: 0o755,
    time: 1_600_000_000,
    force: false,
    ...more,
  };
}

/** Packs entries and gives the finished image its name. */
export async function pack(
  target: string,
  entries: readonly PackedEntry[],
  options: PackOptions,
): Promise<void> {
  const packer = await startPacker(target, options);
  try {
    await send(packer, entries);
    await packer.finish();
    await packer.publish();
  } catch (error) {
    await packer.abort();
    throw error;
  } finally {
    packer.close();
  }
}

/** Writes the whole stream; a packer that stops reading is an error. */
export async function send(packer: Packer, entries: readonly PackedEntry[]): Promise<void> {
  const native = await nativeCalls();
  writeEntries(entries, (bytes) => {
    for (let at = 0; at < bytes.length;) {
      const count = native.write(packer.descriptor, bytes.subarray(at));
      if (count < 0) throw new Error("The packer stopped reading");
      at += count;
    }
  });
}

export function ledgerOf(entries: readonly PackedEntry[]): ImageLedger {
  const ledger = new ImageLedger();
  for (const one of entries) {
    ledger.entry({ ...one, size: one.content.length });
    if (one.type === "file") ledger.content(one.content);
  }
  ledger.end();
  return ledger;
}

/** Makes this shell script a program; `$MKSQUASHFS` is the real mksquashfs. */
export function script(path: string, text: string): string {
  writeFileSync(path, `#!/bin/sh\nMKSQUASHFS=${mksquashfs} UNSQUASHFS=${unsquashfs}\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

function writeEntries(entries: readonly PackedEntry[], sink: (bytes: Uint8Array) => void): void {
  const writer = new TarWriter(sink);
  for (const one of entries) {
    const size = one.type === "file" ? one.content.length : 0;
    writer.entry({ ...one, size });
    if (size > 0) writer.content(one.content);
  }
  writer.end();
}
