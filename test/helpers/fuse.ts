/** What starting from an image file needs of the machine, and the processes that serve images. */

import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";

const DEVICE = "/dev/fuse";
const [MAJOR, MINOR] = ["10", "229"];

/** Lets all users open /dev/fuse. Only root can do that; others find the machine as it is. */
export function letUsersMount(): void {
  if (process.getuid!() !== 0) return;
  if (!existsSync(DEVICE)) execFileSync("mknod", [DEVICE, "c", MAJOR, MINOR]);
  chmodSync(DEVICE, 0o666);
}

/** The processes that serve images below the directory. */
export function serversBelow(directory: string): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words[0] === "denroot-squashfs" && words.some((word) => word.startsWith(directory));
    } catch {
      return false;
    }
  });
}

/** Whether the host's root can make block devices of files here. */
export function hasLoopDevices(): boolean {
  try {
    execFileSync("losetup", ["--find"], { stdio: "ignore" });
    return existsSync("/dev/loop-control");
  } catch {
    return false;
  }
}

/** The files that loop devices show. */
export function loopFiles(): string[] {
  return readdirSync("/sys/block").filter((name) => name.startsWith("loop")).flatMap((name) => {
    try {
      return [readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim()];
    } catch {
      return [];
    }
  });
}
