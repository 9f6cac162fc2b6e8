/** Runs the parser over an archive and keeps what it finds. */

import { Buffer } from "node:buffer";
import type { TarEntry } from "../../lib/tar/entry.ts";
import { TarParser } from "../../lib/tar/tar_parser.ts";
import { file, tarMember, type TarSpec } from "../helpers/tar_fixture.ts";

interface ReadEntry extends TarEntry {
  readonly content: Buffer;
}

/** Gives all entries of an archive that arrives in these chunks. */
export function readTar(...chunks: readonly Uint8Array[]): ReadEntry[] {
  const entries: ReadEntry[] = [];
  let pieces: Buffer[] = [];
  const close = () => {
    const last = entries.at(-1);
    if (last !== undefined) Object.assign(last, { content: Buffer.concat(pieces) });
    pieces = [];
  };
  const parser = new TarParser({
    entry(entry) {
      close();
      entries.push({ ...entry, content: Buffer.alloc(0) });
      return true;
    },
    content: (bytes) => void pieces.push(Buffer.from(bytes)),
  });
  for (const chunk of chunks) parser.push(chunk);
  parser.finish();
  close();
  return entries;
}

/** Gives the only entry of an archive. */
export function readOne(archive: Uint8Array): ReadEntry {
  const [entry, ...others] = readTar(archive);
  if (entry === undefined || others.length > 0) throw new Error("There is not one entry");
  return entry;
}

/** Gives a member whose header is changed before its checksum is made. */
export function patchedMember(spec: Partial<TarSpec>, patch: (header: Buffer) => void): Buffer {
  const member = tarMember(file("name", "", spec));
  patch(member);
  sealHeader(member);
  return member;
}

/** Corrects the checksum of the header at the start of `member`. */
export function sealHeader(member: Buffer): void {
  member.fill(" ", 148, 156);
  let sum = 0;
  for (let at = 0; at < 512; at++) sum += member[at]!;
  member.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}
