/** The root file system of a container, mounted. */

import { mkdirSync } from "node:fs";
import { DenrootError } from "../../errors.ts";
import { mount, MS, remount, setPropagation } from "../../system/linux/mounts.ts";
import { hasErrno } from "../../system/linux/system_error.ts";
import type { RootPlace } from "../../types/container.ts";

export interface MountedRoot {
  /** Where it is mounted. */
  readonly path: string;
  /** After the hooks: makes it read-only, unless the container may write. */
  finish(): void;
}

/**
 * Mounts a file system in memory on the runtime directory, and the root: the directory itself where
 * the container may write, else an overlay that keeps the directory untouched. Throws
 * {@link SystemError}.
 */
export function makeRoot(place: RootPlace, runtimePath: string, writable: boolean): MountedRoot {
  if (place.type === "image") throw noImages(place.path);
  mount("tmpfs", runtimePath, "tmpfs", MS.NOSUID | MS.NODEV, "mode=700");
  const path = (!writable && mountOverlay(place.path, `${runtimePath}/overlay`)) ||
    bindDirectory(place.path);
  setPropagation(path, MS.SLAVE);
  return {
    path,
    finish: () => {
      if (!writable) remount(path, MS.RDONLY);
    },
  };
}

/** Undefined where the kernel lets a user namespace mount no overlay: before 5.11, for example. */
function mountOverlay(lower: string, directory: string): string | undefined {
  const [root, upper, work] = ["root", "upper", "work"].map((name) => `${directory}/${name}`);
  for (const part of [root!, upper!, work!]) mkdirSync(part, { recursive: true });
  const quote = (path: string) => path.replace(/[\\,:]/g, "\\$&");
  const data = `lowerdir=${quote(lower)},upperdir=${quote(upper!)},workdir=${quote(work!)}`;
  try {
    mount("overlay", root!, "overlay", MS.NOSUID | MS.NODEV, `${data},userxattr,xino=off`);
  } catch (error) {
    if (hasErrno(error, "EPERM", "EINVAL", "ENODEV")) return undefined;
    throw error;
  }
  return root;
}

function bindDirectory(path: string): string {
  mount(path, path, "none", MS.BIND);
  remount(path, MS.NOSUID | MS.NODEV);
  return path;
}

function noImages(path: string): DenrootError {
  return new DenrootError("unsupported", `${path} is an image, and no container`, {
    hint: "Make a container of it first: denroot create",
  });
}
