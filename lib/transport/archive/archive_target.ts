/** Which file a new archive becomes, or down which pipe it goes. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError } from "../../errors.ts";
import { absolutePath, realPath, resolvedPath } from "../../system/files/real_names.ts";
import { replacementFault } from "../../system/files/replacement.ts";
import { quotePath } from "../../text/quote_text.ts";

export interface ArchiveTarget {
  readonly type: "file" | "stream";
  readonly path: string;
}

/** `/dev/stdout` and `/dev/fd/1` lead here, also when they are files. */
const DESCRIPTORS = /^\/(dev|proc\/[^/]+(\/task\/[^/]+)?)\/fd(\/|$)|^\/dev\/std(out|err)$/;

/**
 * A link stays, and its target becomes the archive. Throws code `exists` for a file that is there and
 * is not to be replaced; `file` for a directory, for a file in a directory that does not exist, and
 * where the archive could not get its name at the end.
 */
export async function archiveTarget(
  name: string,
  { replace }: { readonly replace: boolean },
): Promise<ArchiveTarget> {
  const target = findTarget(name, replace);
  const fault = target.type === "file" ? await replacementFault(target.path) : undefined;
  if (fault === undefined) return target;
  const subject = fault.of === "file"
    ? quotePath(name)
    : `The directory ${quotePath(path.dirname(target.path))}`;
  throw new DenrootError("file", `${subject} ${fault.why}`, {
    hint: "Choose another place for the archive",
  });
}

function findTarget(name: string, replace: boolean): ArchiveTarget {
  if (DESCRIPTORS.test(resolvedPath(name))) return { type: "stream", path: absolutePath(name) };
  if (name.endsWith("/")) throw new DenrootError("file", `${quotePath(name)} is not a file's name`);
  const status = fs.statSync(name, { throwIfNoEntry: false });
  if (status === undefined) return { type: "file", path: newFile(name) };
  if (status.isFIFO() || status.isCharacterDevice()) return { type: "stream", path: name };
  if (!status.isFile()) throw new DenrootError("file", `${quotePath(name)} is not a file`);
  if (!replace) throw fileExists(quotePath(name));
  return { type: "file", path: realPath(name) };
}

/** `shown` is the file as messages show it. */
export function fileExists(shown: string): DenrootError {
  return new DenrootError("exists", `The file ${shown} exists already`, {
    hint: "Choose another name, or replace the whole file with --force",
  });
}

function newFile(name: string): string {
  const target = resolvedPath(name);
  const directory = path.dirname(target);
  if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    return path.join(realPath(directory), path.basename(target));
  }
  throw new DenrootError("file", `There is no directory ${quotePath(path.dirname(name))}`);
}
