/** The root file system of a container, mounted. */

import { mkdirSync } from "node:fs";
import { rootedFiles } from "../../system/files/rooted_files.ts";
import { mount, MS, remount, setPropagation } from "../../system/linux/mounts.ts";
import { hasErrno } from "../../system/linux/system_error.ts";
import { DenrootError } from "../../errors.ts";
import type {
  ContainerNamespaces,
  RootedFiles,
  RootPlace,
  StartRequest,
} from "../../types/container.ts";
import { LOCK_NAME } from "../running_containers.ts";
import { mountImage } from "./mount_image.ts";
import { openRootLock, type RootLock } from "./root_lock.ts";

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
  // An image is never written to, and needs no lock.
  const lock = place.type === "directory" ? openRootLock(place.path) : undefined;
  const path = place.type === "image"
    ? await imageRoot(place, `${runtimePath}/image`, overlay, namespaces)
    : (!writable && mountOverlay(place.path, overlay)) ||
      await lockedRoot(place.path, lock, lockTimeoutMs);
  setPropagation(path, MS.SLAVE);
  const files = await rootedFiles(path);
  return {
    path,
    files,
    finish() {
      if (lock !== undefined) showLock(lock, files);
      // It says that this is a container; no list looks for it.
      else if (place.type === "image") files.makeFile(`/${LOCK_NAME}`, 0o644);
      if (writable) protectOwnDirectory(files);
      else remount(path, MS.RDONLY);
    },
    [Symbol.dispose]() {
      lock?.[Symbol.dispose]();
      files[Symbol.dispose]();
    },
  };
}

/** Undefined where the kernel lets a user namespace mount no overlay: before 5.11, for example. */
function mountOverlay(lower: string, directory: string): string | undefined {
  const [root, upper, work] = ["root", "upper", "work"].map((name) => `${directory}/${name}`);
  for (const part of [root!, upper!, work!]) mkdirSync(part, { recursive: true, mode: 0o755 });
  const escaped = (path: string) => path.replace(/[\\,:]/g, "\\$&");
  const data = `lowerdir=${escaped(lower)},upperdir=${escaped(upper!)},workdir=${escaped(work!)}`;
  try {
    mount("overlay", root!, "overlay", MS.NOSUID | MS.NODEV, `${data},userxattr,xino=off`);
  } catch (error) {
    if (hasErrno(error, "EPERM", "EACCES", "EINVAL", "ENODEV", "ELOOP")) return undefined;
    throw error;
  }
  return root;
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
function showLock(lock: RootLock, files: RootedFiles): void {
  const path = `/${LOCK_NAME}`;
  if (files.kind(path) !== "file") files.remove(path);
  files.makeFile(path, 0o644);
  using held = files.hold(path);
  if (held === undefined) return;
  mount(lock.path, held.path, "none", MS.BIND);
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
  directory: string,
  overlay: string,
  namespaces: ContainerNamespaces,
): Promise<string> {
  if (unpack) {
    const { unpackInMemory } = await import("./unpack_in_memory.ts");
    await unpackInMemory(image, directory);
    return bindDirectory(directory);
  }
  mountImage(image, directory, namespaces);
  const root = mountOverlay(directory, overlay);
  if (root !== undefined) return root;
  throw new DenrootError("unsupported", "This kernel lets no user namespace mount an overlay", {
    hint:
      "It takes Linux 5.11 or later. Start the image with --unpack, or make a container of it " +
      "with denroot create",
  });
}
