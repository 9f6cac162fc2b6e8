/** An image file as a directory, without unpacking it. */

import fs from "node:fs";
import os from "node:os";
import { DenrootError, messageOf } from "../../errors.ts";
import { carriedFile } from "../../system/carried_file.ts";
import { closeDescriptor, openDescriptor } from "../../system/linux/descriptors.ts";
import { tryLock } from "../../system/linux/file_lock.ts";
import { loopDevice } from "../../system/linux/loop_device.ts";
import { mount, MS } from "../../system/linux/mounts.ts";
import { SystemError } from "../../system/linux/system_error.ts";
import type { ContainerNamespaces } from "../../types/container.ts";
import { mountFuse } from "./mount_fuse.ts";

export interface ImageSurroundings {
  readonly namespaces: ContainerNamespaces;
  /** A directory that is the container's own. */
  readonly runtimePath: string;
}

const O_RDONLY = 0;

/**
 * Mounts the image read-only on the directory: by the kernel where this is the host's root, else by
 * a server in user space, because no user namespace may mount squashfs. Throws code `squashfs` for an
 * image that cannot be read, `unsupported` where this machine lacks something.
 */
export function mountImage(
  image: string,
  directory: string,
  { namespaces, runtimePath }: ImageSurroundings,
): void {
  fs.mkdirSync(directory, { recursive: true });
  const content = openDescriptor(image, O_RDONLY);
  try {
    // Whatever serves the image keeps a lock: `cache prune` asks by it whether a container runs. The
    // device keeps this one, and the server takes its own.
    tryLock(content, "shared", image);
    if (namespaces.user !== undefined || !mountByKernel(content, directory)) {
      mountByServer(image, directory, { namespaces, runtimePath });
    }
  } finally {
    closeDescriptor(content);
  }
}

function mountByServer(
  image: string,
  directory: string,
  { namespaces, runtimePath }: ImageSurroundings,
): void {
  const { insideUid: uid = 0, insideGid: gid = 0 } = namespaces.user ?? {};
  mountFuse({
    name: "squashfs",
    program: serverProgram,
    // The server makes the directory its own root, where this process sees nothing of that.
    argv: ["denroot-squashfs", "3", String(uid), String(gid), image, directory],
    directory,
    runtimePath,
    uid,
    gid,
    flags: MS.RDONLY,
    failed: (reason, cause) => notMounted(image, reason, cause),
  });
}

/** Gives whether it was possible: a container's host may keep the devices to itself. */
function mountByKernel(content: number, directory: string): boolean {
  try {
    using device = loopDevice(content);
    mount(device.path, directory, "squashfs", MS.RDONLY | MS.NOSUID | MS.NODEV);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

function serverProgram(): Uint8Array {
  const program = carriedFile(`build/squashfs/${os.arch()}/serve_image`);
  if (program !== undefined) return program;
  throw new DenrootError("unsupported", "This denroot lacks the program that serves images", {
    hint: "Run scripts/build_squashfs, or take a released executable",
  });
}

function notMounted(image: string, reason: string, cause: unknown): DenrootError {
  const why = reason === "" ? messageOf(cause) : reason;
  return new DenrootError("squashfs", `${image} cannot be mounted: ${why}`, {
    cause,
    hint: "Start it with --unpack, or make a container of it with denroot create",
  });
}
