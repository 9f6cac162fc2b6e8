/** An archive for a gap as the place that images go to: they are noted, and written at the end. */

import { existsSync } from "node:fs";
import { DenrootError } from "../../errors.ts";
import { quotePath } from "../../text/quote_text.ts";
import type { ImageContext } from "../../image/image_options.ts";
import { archiveTarget, fileExists } from "../../transport/archive/archive_target.ts";
import { partName } from "../../transport/archive/split_names.ts";
import { openArchiveFiles } from "../../transport/layout/oci_archive.ts";
import type { SourceContext } from "../../transport/source_context.ts";
import type { Digest } from "../../types/image.ts";
import type { Places } from "../destination/open_places.ts";
import { fullNameOf } from "../listed_image.ts";
import { Have } from "./have.ts";
import type { Inventory } from "./inventory.ts";
import { Learner } from "./learn.ts";
import { loadableList } from "./loadable_list.ts";
import { inventoryOf } from "./members.ts";
import { inventoryAt, readInventory } from "./read_inventory.ts";
import { Recorder } from "./recorder.ts";
import { writeArchive } from "./write_archive.ts";

export interface ArchiveOptions {
  /** Files with JSON that names digests which the other side has. */
  readonly have?: readonly string[] | undefined;
  /** Archives that the other side has read. */
  readonly since?: readonly string[] | undefined;
  /** Parts are smaller than this, in bytes. */
  readonly splitBytes?: number | undefined;
  /** Whether a file that is there is replaced. */
  readonly force?: boolean | undefined;
}

type Context = ImageContext & SourceContext;

/** Throws code `usage` for options that say nothing to a destination that is no archive. */
export function refuseArchiveOptions({ have = [], since = [], splitBytes }: ArchiveOptions): void {
  const given = [
    ...(have.length > 0 ? ["--have"] : []),
    ...(since.length > 0 ? ["--since"] : []),
    ...(splitBytes !== undefined ? ["--split"] : []),
  ];
  if (given.length === 0) return;
  throw new DenrootError("usage", `${given.join(" and ")} is for an archive alone`, {
    hint: "Write oci-archive:FILE for the destination, or leave the option out",
  });
}

/** Throws code `exists` for a file that is there and is no such archive, and what its directory throws. */
export async function openArchivePlaces(
  path: string,
  options: ArchiveOptions,
  context: Context,
  onDamage: (digest: Digest) => void,
): Promise<Places> {
  const { force: replace = false, splitBytes } = options;
  const target = await archiveTarget(path, { replace: true });
  if (target.type === "stream" && splitBytes !== undefined) throw noParts(path);
  const isThere = target.type === "file" && (existsSync(path) || existsSync(partName(path, 1)));
  const there = isThere && !replace ? await inventoryAt(path, context) : undefined;
  if (isThere && !replace && there === undefined) throw fileExists(quotePath(path));
  const have = await haveOf(options, context);
  const recorder = new Recorder(path, have);
  const learner = new Learner(have);
  let bytes = 0;
  return {
    learn: (image, signal) => learner.learnFrom(image, signal),
    get bytes() {
      return bytes;
    },
    referenceOf: (name) => ({ scheme: "oci-archive", path, tag: fullNameOf(name) }),
    open: (name) => Promise.resolve(recorder.at(fullNameOf(name))),
    async finish() {
      if (there !== undefined && isSame(there, inventoryOf(recorder, have, there.created))) {
        return false;
      }
      if (isThere && !replace) throw fileExists(quotePath(path));
      const { platform, signal, onProgress, settings: { maxConnections: connections } } = context;
      const loadable = await loadableList(recorder, platform, signal);
      const partBytes = splitBytes === undefined ? undefined : partSize(splitBytes);
      const shared = {
        path,
        have,
        loadable,
        replace,
        partBytes,
        connections,
        onDamage,
        onProgress,
        signal,
      };
      bytes = await writeArchive(recorder, shared);
      return true;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function haveOf(
  { have: files = [], since = [] }: ArchiveOptions,
  context: Context,
): Promise<Have> {
  const have = new Have();
  for (const path of since) {
    const file = path.replace(/^oci-archive:/, "");
    const archive = await openArchiveFiles({ scheme: "oci-archive", path: file }, context);
    const inventory = await readInventory(archive, file);
    if (inventory === undefined) throw noInventory(path);
    have.addInventory(inventory);
  }
  for (const file of files) have.addFile(file);
  return have;
}

/** A disk with FAT takes files of less than 4 GiB. */
function partSize(splitBytes: number): number {
  return splitBytes - 1;
}

function isSame(one: Inventory, other: Inventory): boolean {
  const facts = ({ images, blobs, needs }: Inventory) => JSON.stringify([images, blobs, needs]);
  return facts(one) === facts(other);
}

function noParts(path: string): DenrootError {
  return new DenrootError("usage", `${path} is a pipe, which has no parts`, {
    hint: "Leave out --split, or name a file",
  });
}

function noInventory(path: string): DenrootError {
  return new DenrootError("unsupported", `${path} is no archive that denroot sync wrote`, {
    hint: "Only such an archive says what is in it for another one to leave out",
  });
}
