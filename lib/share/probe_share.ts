/** Tries on a share's file system what the share relies on. */

import fs from "node:fs";
import path from "node:path";
import { systemCode } from "../errors.ts";
import { processMark } from "../system/files/process_mark.ts";

export interface ShareProbe {
  /** Whether a link gives a file a second name, and refuses a name that is taken. */
  readonly hasLinks: boolean;
  /** Whether only one of two openings with O_EXCL makes a file. */
  readonly excludes: boolean;
  /** How far the file system's clock is ahead of this machine's. */
  readonly aheadMs: number;
}

/**
 * Makes a directory in `directory`, tries everything there, and removes it. Throws the system's
 * errors, where this user cannot write, say.
 */
export function probeShare(directory: string): ShareProbe {
  const own = path.join(directory, `.denroot-${processMark()}.probe`);
  fs.mkdirSync(own, { mode: 0o700 });
  try {
    const file = path.join(own, "file");
    const [beforeMs, isMade] = [Date.now(), makes(file)];
    const { mtimeMs } = fs.statSync(file);
    return {
      hasLinks: links(file, path.join(own, "link")),
      excludes: isMade && !makes(file),
      aheadMs: mtimeMs - beforeMs,
    };
  } finally {
    fs.rmSync(own, { recursive: true, force: true });
  }
}

function makes(file: string): boolean {
  try {
    fs.writeFileSync(file, "x", { flag: "wx" });
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

function links(file: string, name: string): boolean {
  try {
    fs.linkSync(file, name);
  } catch {
    return false;
  }
  try {
    fs.linkSync(file, name);
    return false;
  } catch (error) {
    return systemCode(error) === "EEXIST" && fs.statSync(name).ino === fs.statSync(file).ino;
  }
}
