/** What keeps a file from getting a name, looked for before the file is made. */

import { Buffer } from "node:buffer";
import path from "node:path";
import process from "node:process";
import {
  APPEND_ONLY,
  FILE_TYPE,
  type FileStatus,
  IMMUTABLE,
  MOUNT_ROOT,
  nativeFiles,
  REGULAR,
} from "./native_files.ts";

const AT_FDCWD = -100;
const STICKY = 0o1000;
const OWNERS_ONLY = "is another user's, in a directory where each user replaces only his own files";

/**
 * Why no new file can take the name `file`, as the end of a sentence about `of`; undefined where
 * nothing is known against it. Whether its directory can be written at all is another question.
 */
export async function replacementFault(
  file: string,
): Promise<{ readonly of: "file" | "directory"; readonly why: string } | undefined> {
  const ofDirectory = await directoryFault(path.dirname(file));
  if (ofDirectory !== undefined) return { of: "directory", why: ofDirectory };
  const why = await fileFault(file);
  return why === undefined ? undefined : { of: "file", why };
}

/** The same about a directory, which a link may lead to: why nothing in it can get another name. */
export async function directoryFault(directory: string): Promise<string | undefined> {
  const status = await statusOf(`${directory}/.`);
  return status !== undefined && (status.attributes & APPEND_ONLY) !== 0
    ? "is append-only (chattr +a), so nothing in it can be renamed"
    : undefined;
}

async function fileFault(file: string): Promise<string | undefined> {
  const status = await statusOf(file);
  if (status === undefined || (status.mode & FILE_TYPE) !== REGULAR) return undefined;
  const { attributes } = status;
  if ((attributes & MOUNT_ROOT) !== 0) return "is the place of a mount";
  if ((attributes & IMMUTABLE) !== 0) return "is immutable (chattr +i)";
  if ((attributes & APPEND_ONLY) !== 0) return "is append-only (chattr +a)";
  return await isForOwners(status, path.dirname(file)) ? OWNERS_ONLY : undefined;
}

/** Whether the sticky bit keeps the file's name from this user (`__check_sticky()` in fs/namei.c). */
async function isForOwners({ uid }: FileStatus, parent: string): Promise<boolean> {
  const status = await statusOf(`${parent}/.`);
  const user = process.geteuid!();
  return status !== undefined && (status.mode & STICKY) !== 0 &&
    user !== 0 && user !== uid && user !== status.uid;
}

async function statusOf(file: string): Promise<FileStatus | undefined> {
  const status = (await nativeFiles()).status(AT_FDCWD, bytesOf(file));
  return typeof status === "number" ? undefined : status;
}

/** As the native functions take a path: one character for each byte. */
function bytesOf(file: string): string {
  return Buffer.from(file).toString("latin1");
}
