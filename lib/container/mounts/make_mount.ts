/** Carries out one line of a mount table, inside the namespaces of a container that starts. */

import { readFileSync, statSync } from "node:fs";
import { messageOf } from "../../errors.ts";
import {
  detach,
  makeReadOnlyBelow,
  mount,
  mountFlags,
  MS,
  setPropagation,
} from "../../system/linux/mounts.ts";
import { hasErrno } from "../../system/linux/system_error.ts";
import type { HeldFile, PlannedMount, RootedFiles } from "../../types/container.ts";
import { LeavesRoot, MissingSide, mountError } from "./mount_error.ts";
import { type MountOptions, readMountOptions } from "./mount_options.ts";

export interface MountContext {
  /** The root of the container. Targets, and sources below its path, never leave it. */
  readonly root: RootedFiles;
  /** Told of a mount with `nofail` that fails. */
  readonly warn: (message: string) => void;
}

/** A target that is made has these permissions, by which an export tells that it is none of the image. */
const TARGET_MODE = 0;
const VOLUME_MODE = 0o755;

/**
 * Follows enroot-mount of enroot 4.1, with these differences: `ro` beside `rbind` holds for the mounts
 * below too, where the kernel is 5.12 or newer; a bind keeps the flags of its source that no word
 * takes away.
 *
 * Throws code `file`, with the origin of the line, unless the line says `nofail`. A line that may mount
 * only the root's own files does nothing where something else is mounted there.
 */
export function makeMount(line: PlannedMount, context: MountContext): void {
  const options = readMountOptions(line.options);
  try {
    carryOut(line, options, context.root);
  } catch (cause) {
    const error = mountError(line, options, cause);
    if (!options.mayFail) throw error;
    if (!options.silent) context.warn(messageOf(error));
  }
}

function carryOut(line: PlannedMount, options: MountOptions, root: RootedFiles): void {
  if (leavesRoot(line.target)) throw new LeavesRoot();
  const { flags } = options;
  const binds = (flags & MS.BIND) !== 0 && (flags & MS.REMOUNT) === 0;
  const needsPath = binds || (flags & MS.MOVE) !== 0;
  using source = needsPath ? openSource(line, options, root) : plainSource(line.source);
  if (needsPath && line.onlyOwn && !isOfRoot(source, root)) return;
  createTarget(line.target, options, source, root);
  {
    using target = openTarget(line.target, root);
    if (options.detach) detach(target.path);
    else if (binds) mount(source.path, target.path, "none", flags & (MS.BIND | MS.REC | MS.SILENT));
    else if (flags & MS.REMOUNT) remountAs(target.path, line.source, options);
    else if (flags & MS.MOVE) mount(source.path, target.path, "none", MS.MOVE);
    else if (line.type !== "none" || flags & ~MS.SILENT) {
      mount(line.source, target.path, line.type, flags & ~MS.REC, options.data);
    }
  }
  if (!binds && options.propagation.length === 0) return;
  // Opened once more, the target is what has just been mounted on it.
  using mounted = openTarget(line.target, root);
  if (binds) restrictBind(mounted.path, options);
  for (const propagation of options.propagation) setPropagation(mounted.path, propagation);
}

/** A bind takes the flags of its source along; those that words set or clear need a second call. */
function restrictBind(target: string, options: MountOptions): void {
  const { flags, cleared, data } = options;
  const wanted = flags & ~(MS.BIND | MS.REC | MS.SILENT);
  if (wanted !== 0 || data !== "" || (mountFlags(target) & cleared) !== 0) {
    remountAs(target, "none", { ...options, flags: MS.BIND | MS.REMOUNT | wanted });
  }
  if (flags & MS.REC && flags & MS.RDONLY) makeReadOnlyBelow(target);
}

const ATIME = MS.NOATIME | MS.NODIRATIME | MS.RELATIME | MS.STRICTATIME;

/**
 * A remount has to name the flags again that are to stay. In a user namespace the kernel refuses to
 * take some of them away, or to change how times are kept: then they stay, as in enroot.
 */
function remountAs(target: string, source: string, { flags, cleared, data }: MountOptions): void {
  const wanted = flags & ~MS.REC;
  const present = mountFlags(target);
  const kept = present & ~cleared & ~(wanted & ATIME ? ATIME : 0);
  try {
    mount(source, target, "none", wanted | kept, data);
  } catch (error) {
    if (kept === present || !hasErrno(error, "EPERM")) throw error;
    mount(source, target, "none", (wanted & ~ATIME) | present, data);
  }
}

/** A source that is a word, such as `tmpfs`, or a change of what is mounted already. */
function plainSource(source: string): HeldFile {
  return { path: source, isDirectory: true, [Symbol.dispose]() {} };
}

/** The root's own directories are reached without leaving it: an image's links may lead anywhere. */
function openSource(
  { source, target }: PlannedMount,
  { create }: MountOptions,
  root: RootedFiles,
): HeldFile {
  if (source === root.path || source.startsWith(`${root.path}/`)) {
    const path = source.slice(root.path.length) || "/";
    const held = root.hold(path);
    if (held !== undefined) return held;
    if (create !== "directory" || path !== target) throw new MissingSide("source");
    // A volume is a directory of the image that the image need not have.
    root.makeDirectory(path, VOLUME_MODE);
    return root.hold(path)!;
  }
  const status = statSync(source, { throwIfNoEntry: false });
  if (status === undefined) throw new MissingSide("source");
  return { ...plainSource(source), isDirectory: status.isDirectory() };
}

/**
 * Whether a file lies on the root's own mount. A site or a user may have mounted something else over
 * it, perhaps read-only: to bind that once more would give it other options.
 */
function isOfRoot(file: HeldFile, root: RootedFiles): boolean {
  using held = root.hold("/");
  return held !== undefined && mountId(file) === mountId(held);
}

function mountId({ path }: HeldFile): string | undefined {
  const facts = readFileSync(path.replace("/fd/", "/fdinfo/"), "utf8");
  return /^mnt_id:\s*(\d+)/m.exec(facts)?.[1];
}

/** Links are no danger, as they are resolved inside the root; but this text is a mistake. */
function leavesRoot(target: string): boolean {
  let depth = 0;
  for (const part of target.split("/")) {
    if (part === "..") depth--;
    else if (part !== "" && part !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

function openTarget(target: string, root: RootedFiles): HeldFile {
  const held = root.hold(target);
  if (held === undefined) throw new MissingSide("target");
  return held;
}

/** What is there already stays as it is, and is not opened. */
function createTarget(
  target: string,
  { create }: MountOptions,
  source: HeldFile,
  root: RootedFiles,
): void {
  if (create === undefined) return;
  using held = root.hold(target);
  if (held !== undefined) return;
  const isFile = create === "file" || (create === "auto" && !source.isDirectory);
  if (isFile) root.makeFile(target, TARGET_MODE);
  else root.makeDirectory(target, TARGET_MODE);
}
