/** The root file system of a container, mounted. */

import { lstatSync } from "node:fs";
import { rootedFiles } from "../../system/files/rooted_files.ts";
import { mount, MS, remount, setPropagation } from "../../system/linux/mounts.ts";
import type {
  ContainerNamespaces,
  RootedFiles,
  RootPlace,
  StartRequest,
} from "../../types/container.ts";
import { LOCK_NAME } from "../lock_name.ts";
import { type ImageSurroundings, mountImage } from "./mount_image.ts";
import { mountOverlay } from "./mount_overlay.ts";
import { mountWritableLayer } from "./mount_writable_layer.ts";
import { imageMark, openRootLock, type RootLock, type RootMark } from "./root_lock.ts";

/** An image's source and a bundle's programs. */
const OWN_DIRECTORY = "/.enroot";

export interface MountedRoot extends Disposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly files: RootedFiles;
  /** When all is prepared: the container sees the lock, and writes only where it may. */
  finish(): void;
}

/**
 * Mounts a file system in memory on the runtime directory, and the root: the directory itself where
 * the container may write, else an overlay that keeps the directory untouched. Throws
 * {@link SystemError}.
 */
export async function makeRoot(
  place: RootPlace,
  { namespaces, writable, settings: { runtimePath, lockTimeoutMs } }: StartRequest,
): Promise<MountedRoot> {
  mount("tmpfs", runtimePath, "tmpfs", MS.NOSUID | MS.NODEV, "mode=700");
  const overlay = `${runtimePath}/overlay`;
  const lock = place.type === "directory" ? await openRootLock(place.path) : undefined;
  const mark = place.type === "image" ? imageMark(place.path, runtimePath) : lock;
  const path = place.type === "image"
    ? await imageRoot(place, overlay, { namespaces, runtimePath })
    : (!writable && isAllMapped(place.path, namespaces) && mountOverlay(place.path, overlay)) ||
      await lockedRoot(place.path, lock, lockTimeoutMs);
  setPropagation(path, MS.SLAVE);
  const files = await rootedFiles(path);
  return {
    path,
    files,
    finish() {
      if (mark !== undefined) showMark(mark, files);
      if (writable) protectOwnDirectory(files);
      else remount(path, MS.RDONLY);
    },
    [Symbol.dispose]() {
      mark?.[Symbol.dispose]();
      files[Symbol.dispose]();
    },
  };
}

/**
 * Whether the directories in which the preparation writes belong to a group that the container has.
 * An overlay could not copy others. They are there when a user's group changed after the creation.
 */
function isAllMapped(root: string, { user }: ContainerNamespaces): boolean {
  if (user === undefined) return true;
  return ["/", "/etc"].every((path) => {
    const status = lstatSync(`${root}${path}`, { throwIfNoEntry: false });
    // A container of another user cannot be written to anyway.
    return status?.uid !== user.insideUid || status.gid === user.insideGid;
  });
}

/** Where the preparation writes to the directory itself, one start does so after the other. */
async function lockedRoot(
  path: string,
  lock: RootLock | undefined,
  timeoutMs: number,
): Promise<string> {
  await lock?.take(timeoutMs);
  return bindDirectory(path);
}

function bindDirectory(path: string): string {
  mount(path, path, "none", MS.BIND);
  remount(path, MS.NOSUID | MS.NODEV);
  return path;
}

/** `list -f` finds the container of a process by the file that it sees there. */
function showMark(mark: RootMark, files: RootedFiles): void {
  const path = `/${LOCK_NAME}`;
  if (files.kind(path) !== "file") files.remove(path);
  files.makeFile(path, 0o644);
  using held = files.hold(path);
  if (held === undefined) return;
  mount(mark.path, held.path, "none", MS.BIND);
  using mounted = files.hold(path);
  if (mounted !== undefined) remount(mounted.path, MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC);
}

/** What denroot and enroot keep in a root is not the container's to change. */
function protectOwnDirectory(files: RootedFiles): void {
  if (files.kind(OWN_DIRECTORY) !== "directory") return;
  using held = files.hold(OWN_DIRECTORY);
  mount(held!.path, held!.path, "none", MS.BIND | MS.REC);
  using mounted = files.hold(OWN_DIRECTORY);
  remount(mounted!.path, MS.RDONLY | MS.NOSUID | MS.NODEV);
}

/** The image below a layer in memory, which takes what the container writes; or all of it there. */
async function imageRoot(
  { path: image, unpack }: RootPlace & { type: "image" },
  overlay: string,
  surroundings: ImageSurroundings,
): Promise<string> {
  const directory = `${surroundings.runtimePath}/image`;
  if (unpack) {
    const { unpackInMemory } = await import("./unpack_in_memory.ts");
    await unpackInMemory(image, directory);
    return bindDirectory(directory);
  }
  mountImage(image, directory, surroundings);
  return mountWritableLayer(directory, overlay, surroundings);
}
