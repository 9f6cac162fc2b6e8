/** The part of a trial that runs inside the namespaces. */

import fs from "node:fs";
import { DenrootError, messageOf } from "../../errors.ts";
import { closeDescriptor, openDescriptor } from "../../system/linux/descriptors.ts";
import { detach, mount, MS, switchRoot } from "../../system/linux/mounts.ts";
import { enterError, explained } from "../enter/explain_refusal.ts";
import { mountOverlay } from "../within/mount_overlay.ts";
import type { Trial } from "./try_container.ts";

export interface MountTrial {
  /** Whether the kernel lets this user mount an overlay. */
  readonly overlay: boolean;
  /** Why /dev/fuse cannot be opened; undefined where it can. */
  readonly fuse?: string;
}

/** Every machine has it, and nothing else is needed from it by then. */
const PLACE = "/proc";

/** `step` and `errno` are those of a step of `enter` that failed. */
export function tryMounts(step: string | undefined, errno: number): Trial {
  try {
    if (step !== undefined) throw enterError(step, errno);
    const fuse = failureOf(() => closeDescriptor(openDescriptor("/dev/fuse", fs.constants.O_RDWR)));
    mount("tmpfs", PLACE, "tmpfs", MS.NOSUID | MS.NODEV, "mode=700");
    fs.mkdirSync(`${PLACE}/lower`);
    const overlay = mountOverlay(`${PLACE}/lower`, `${PLACE}/overlay`) !== undefined;
    // Docker's filter lets some containers mount, and yet forbids this.
    tryRoot();
    return { overlay, ...(fuse !== undefined && { fuse }) };
  } catch (error) {
    const known = explained(error);
    const hint = known instanceof DenrootError ? known.hint : undefined;
    return { refusal: messageOf(known), hint };
  }
}

function tryRoot(): void {
  try {
    switchRoot(PLACE);
  } catch (error) {
    // What forbids it can be found out below /proc.
    detach(PLACE);
    throw error;
  }
}

function failureOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
