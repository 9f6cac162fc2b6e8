/** A layer in memory above an image, by the kernel or by a program of the host. */

import { readFileSync } from "node:fs";
import { DenrootError } from "../../errors.ts";
import { environment } from "../../system/host/environment.ts";
import { findProgram } from "../../system/host/find_program.ts";
import { mountFuse } from "./mount_fuse.ts";
import type { ImageSurroundings } from "./mount_image.ts";
import { layerDirectories, mountOverlay } from "./mount_overlay.ts";

const PROGRAM = "fuse-overlayfs";

/**
 * Gives the path of what is mounted, which lies in `directory`. Throws code `unsupported` where
 * neither is there.
 */
export function mountWritableLayer(
  lower: string,
  directory: string,
  surroundings: ImageSurroundings,
): string {
  return mountOverlay(lower, directory) ?? mountByProgram(lower, directory, surroundings);
}

/** It takes several times as long as the kernel for each file. */
export function mountByProgram(
  lower: string,
  directory: string,
  { namespaces: { user }, runtimePath }: ImageSurroundings,
): string {
  const program = findProgram(PROGRAM, environment());
  if (program === undefined) throw noOverlay();
  const { root, data } = layerDirectories(lower, directory);
  const { insideUid: uid = 0, insideGid: gid = 0 } = user ?? {};
  mountFuse({
    name: PROGRAM,
    program: () => readFileSync(program),
    argv: [PROGRAM, "-f", "-o", `${data},squash_to_uid=${uid},squash_to_gid=${gid}`, "/dev/fd/3"],
    directory: root,
    runtimePath,
    uid,
    gid,
    flags: 0,
    failed: (said, cause) =>
      new DenrootError("unsupported", `${program} cannot be used: ${said || cause}`, {
        cause,
        hint: NO_LAYER,
      }),
  });
  return root;
}

const NO_LAYER = "Start the image with --unpack, or make a container of it with denroot create";

function noOverlay(): DenrootError {
  return new DenrootError("unsupported", "This kernel lets no user namespace mount an overlay", {
    hint: `It takes Linux 5.11 or later, or the program ${PROGRAM}. ${NO_LAYER}`,
  });
}
