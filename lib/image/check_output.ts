/** Which file an import writes, and whether it can: decided before anything is fetched for it. */

import fs from "node:fs";
import path from "node:path";
import { DenrootError, isDiskFull, messageOf, systemCode } from "../errors.ts";
import { outputExists, temporaryImage } from "../squashfs/packer.ts";
import { absolutePath, linkTarget, realPath } from "../system/files/real_names.ts";
import { replacementFault } from "../system/files/replacement.ts";

export interface OutputOptions {
  /** Replace a regular file that is there. */
  readonly force: boolean;
  /** Files and directories that the import reads. The output is none of them, and in none of them. */
  readonly inputs: readonly string[];
}

/** As the kernel has it (`MAXSYMLINKS`). */
const MAX_LINKS = 40;
/** The directory of a process's open descriptors, which `/dev/stdout` and `/dev/fd` lead to. */
const DESCRIPTORS = /^\/proc\/[^/]+(?:\/task\/[^/]+)?\/fd$/;
const ELSEWHERE = "Choose another path for the output";

/**
 * The path of the file that `name` stands for, without symbolic links: as in enroot, an output that
 * is a link stays one, and the image gets the name of its target.
 *
 * Throws code `usage` for a name that cannot be a file's, and code `file` when there is no directory
 * for it.
 */
export function outputPath(name: string): string {
  requireFileName(name);
  let target = absolutePath(name);
  for (let links = 0; links <= MAX_LINKS; links++) {
    const directory = realDirectory(path.dirname(target));
    if (DESCRIPTORS.test(directory)) throw noStandardOutput(name);
    target = path.join(directory, path.basename(target));
    if (!statusOf(target)?.isSymbolicLink()) return target;
    const next = linkTarget(target);
    if (namesDirectory(next)) throw directoryName(name);
    target = path.isAbsolute(next) ? next : `${directory}/${next}`;
  }
  throw new DenrootError("file", `The output ${name} is a symbolic link that leads nowhere`, {
    hint: ELSEWHERE,
  });
}

/** Throws code `usage` for a name that no file can have, or that means standard output. */
export function requireFileName(name: string): void {
  if (name === "") throw new DenrootError("usage", "The name of the output is empty");
  if (name === "-") throw noStandardOutput(name, "For a file of this name, write ./-");
  if (namesDirectory(name)) throw directoryName(name);
}

/**
 * Checks a path of {@link outputPath}. Throws code `exists`; code `file` when its directory cannot be
 * written or the file that is there cannot be replaced, and code `space` when there is no room.
 */
export async function checkOutput(
  output: string,
  { force, inputs }: OutputOptions,
): Promise<void> {
  for (const input of inputs) checkInput(output, input);
  checkFile(output, force);
  await checkReplacement(output);
  checkDirectory(path.dirname(output));
}

/** Only a regular file is ever replaced, never a device, a pipe or a directory. */
function checkFile(output: string, force: boolean): void {
  const found = statusOf(output);
  if (found === undefined) return;
  if (found.isDirectory()) throw directoryName(output);
  if (!found.isFile()) {
    throw new DenrootError("exists", `The output ${output} exists and is not a regular file`, {
      hint: ELSEWHERE,
    });
  }
  if (!force) throw outputExists(output);
}

/** Without this, only the last step of a long import would show it. */
async function checkReplacement(output: string): Promise<void> {
  const fault = await replacementFault(output);
  if (fault === undefined) return;
  const subject = fault.of === "file"
    ? `The output ${output}`
    : `The directory ${path.dirname(output)} for the output`;
  throw new DenrootError("file", `${subject} ${fault.why}`, { hint: ELSEWHERE });
}

/** The image would take the place of what it is made from, or change it while it is read. */
function checkInput(output: string, input: string): void {
  const source = fs.statSync(input, { throwIfNoEntry: false });
  if (source === undefined) return;
  const found = statusOf(output);
  const isSame = found !== undefined && found.ino === source.ino && found.dev === source.dev;
  if (!isSame && !(source.isDirectory() && isInside(output, realPath(input)))) return;
  const where = isSame
    ? "is what the image is made from"
    : `is in ${input}, which the image is made from`;
  throw new DenrootError("file", `The output ${output} ${where}`, { hint: ELSEWHERE });
}

function isInside(file: string, directory: string): boolean {
  return file.startsWith(directory === "/" ? "/" : `${directory}/`);
}

/** Only a file that is made there shows it: permissions do not say what root may do on NFS. */
function checkDirectory(directory: string): void {
  const probe = temporaryImage(directory);
  try {
    probe.create();
    probe.close();
  } catch (cause) {
    const code = systemCode(cause);
    throw new DenrootError(
      isDiskFull(cause) ? "space" : "file",
      `The directory ${directory} for the output ${complaint(code, cause)}`,
      { cause, hint: ELSEWHERE },
    );
  }
}

function complaint(code: string | undefined, cause: unknown): string {
  switch (code) {
    case "EROFS":
      return "is on a read-only file system";
    case "EACCES":
    case "EPERM":
      return "is not writable";
    case "ENOSPC":
      return "has no room left";
    case "EDQUOT":
      return "has no room left for you: a quota is used up";
    case "ENAMETOOLONG":
      return "has too long a path: denroot needs room for a temporary name in it";
    default:
      return `cannot be written: ${messageOf(cause)}`;
  }
}

function realDirectory(directory: string): string {
  let real: string;
  try {
    real = realPath(directory);
  } catch (cause) {
    if (cause instanceof DenrootError) throw cause;
    const code = systemCode(cause);
    if (code === "ENOENT") throw noDirectory(directory, cause);
    const why = code === "ENAMETOOLONG" ? "it is too long" : messageOf(cause);
    throw new DenrootError(
      "file",
      `The directory ${shortened(directory)} for the output cannot be used: ${why}`,
      { cause, hint: ELSEWHERE },
    );
  }
  if (fs.statSync(real).isDirectory()) return real;
  throw new DenrootError("file", `${directory} is not a directory, so no output can be in it`, {
    hint: ELSEWHERE,
  });
}

/** Looks at the name itself, not at the target of a link. */
function statusOf(output: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(output, { throwIfNoEntry: false });
  } catch (cause) {
    const isLong = systemCode(cause) === "ENAMETOOLONG";
    const why = isLong
      ? "its name is too long for the file system"
      : systemCode(cause) === "EACCES"
      ? "this user may not enter its directory"
      : messageOf(cause);
    throw new DenrootError(
      "file",
      `The output ${shortened(output)} cannot be written: ${why}`,
      { cause, hint: isLong ? "Give it a shorter name with --output" : ELSEWHERE },
    );
  }
}

function namesDirectory(name: string): boolean {
  return /(?:^|\/)\.{0,2}$/.test(name);
}

function shortened(name: string): string {
  return name.length <= 300 ? name : `${name.slice(0, 100)}…${name.slice(-100)}`;
}

function noStandardOutput(name: string, hint = "Name a file"): DenrootError {
  return new DenrootError(
    "usage",
    `The output ${name} is an open stream, but an image can be written only to a file with a ` +
      "name: mksquashfs does not write it from front to back",
    { hint },
  );
}

function directoryName(name: string): DenrootError {
  return new DenrootError("usage", `The output ${name} names a directory`, {
    hint: `Name a file in it, such as ${path.join(name, "image.sqsh")}`,
  });
}

function noDirectory(directory: string, cause: unknown): DenrootError {
  return new DenrootError("file", `The directory ${directory} for the output does not exist`, {
    cause,
    hint: "Create it, or choose another path for the output",
  });
}
