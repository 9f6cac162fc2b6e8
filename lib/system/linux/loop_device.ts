/** A file as a block device: loop(4). Only the host's root may make one. */

import { readlinkSync } from "node:fs";
import os from "node:os";
import { check, libc } from "./libc_calls.ts";
import { closeDescriptor, openDescriptor } from "./descriptors.ts";
import { hasErrno } from "./system_error.ts";

/** ioctl(2) by its number: its last argument is a number here, and not a buffer. */
const IOCTL = os.arch() === "arm64" ? 29 : 16;
const NOTHING = new Uint8Array(8);
const O_RDONLY = 0;
const O_RDWR = 2;
const LOOP_SET_FD = 0x4c00;
const LOOP_SET_STATUS64 = 0x4c04;
const LOOP_CTL_GET_FREE = 0x4c82;
/** `struct loop_info64`, and the offset of `lo_flags` in it. */
const LOOP_INFO_SIZE = 232;
const LOOP_FLAGS = 52;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;
/** Others may take the free device first. */
const ATTEMPTS = 20;

export interface LoopDevice extends Disposable {
  /** `/dev/loop3`. */
  readonly path: string;
}

/**
 * Makes a read-only device of the open file `content`, which it keeps open with the locks on it. The
 * kernel frees the device when neither a mount nor this object needs it. Throws {@link SystemError}.
 */
export function loopDevice(content: number): LoopDevice {
  for (let attempt = 1;; attempt++) {
    const device = openFreeDevice();
    try {
      check(libc().syscall(IOCTL, device, LOOP_SET_FD, content, 0), "attach a loop device");
      check(libc().ioctl(device, LOOP_SET_STATUS64, flags()), "set up a loop device");
      const path = readlinkSync(`/proc/self/fd/${device}`);
      return { path, [Symbol.dispose]: () => closeDescriptor(device) };
    } catch (error) {
      closeDescriptor(device);
      if (!hasErrno(error, "EBUSY") || attempt === ATTEMPTS) throw error;
    }
  }
}

function openFreeDevice(): number {
  const control = openDescriptor("/dev/loop-control", O_RDWR);
  try {
    const number = check(libc().ioctl(control, LOOP_CTL_GET_FREE, NOTHING), "find a loop device");
    return openDescriptor(`/dev/loop${number}`, O_RDONLY);
  } finally {
    closeDescriptor(control);
  }
}

function flags(): Uint8Array {
  const info = new Uint8Array(LOOP_INFO_SIZE);
  new DataView(info.buffer).setUint32(LOOP_FLAGS, LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR, true);
  return info;
}
