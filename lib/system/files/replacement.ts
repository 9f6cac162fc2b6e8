/** What keeps a file from getting a name, asked of the kernel before the file is made. */

import { Buffer } from "node:buffer";
import path from "node:path";
import { nativeChanges } from "./native_changes.ts";
import { APPEND_ONLY, EPERM, IMMUTABLE, MOUNT_ROOT, nativeFiles } from "./native_files.ts";

const AT_FDCWD = -100;
const OWNERS_ONLY = "is another user's, in a directory where each user replaces only his own files";

/**
 * Why no new file can take the name `file`, as the end of a sentence about `of`; undefined where
 * nothing is known against it. Whether its directory can be written at all is another question.
 */
export async function replacementFault(
  file: string,
): Promise<{ readonly of: "file" | "directory"; readonly why: string } | undefined> {
  const attributes = await attributesOf(path.dirname(file));
  if ((attributes & APPEND_ONLY) !== 0) {
    return { of: "directory", why: "is append-only (chattr +a), so no file in it can be renamed" };
  }
  const why = await fileFault(file);
  return why === undefined ? undefined : { of: "file", why };
}

async function fileFault(file: string): Promise<string | undefined> {
  const attributes = await attributesOf(file);
  if ((attributes & MOUNT_ROOT) !== 0) return "is the place of a mount";
  if ((attributes & IMMUTABLE) !== 0) return "is immutable (chattr +i)";
  if ((attributes & APPEND_ONLY) !== 0) return "is append-only (chattr +a)";
  // The kernel looks whether this process may remove the name before it sees that it is no
  // directory's (may_delete() in fs/namei.c), and never removes a file here.
  const result = (await nativeChanges()).removeDirectory(AT_FDCWD, bytesOf(file));
  return result === EPERM ? OWNERS_ONLY : undefined;
}

/** 0 where there is nothing, or where the file system does not tell. */
async function attributesOf(file: string): Promise<number> {
  const status = (await nativeFiles()).status(AT_FDCWD, bytesOf(file));
  return typeof status === "number" ? 0 : status.attributes;
}

/** As the native functions take a path: one character for each byte. */
function bytesOf(file: string): string {
  return Buffer.from(file).toString("latin1");
}
