/** The processes of `enter` that stay beside a container with PIDs of its own: they only wait for it. */

import fs from "node:fs";

/** In memory, or in the directory from which it had to run. */
const ENTER = /[/-]enter(?: \(deleted\))?$/;

/** Whether a process, which `directory` shows as `/proc/PID` does, is one of them. */
export function onlyWaits(directory: string): boolean {
  const program = programOf(directory);
  return program !== undefined && ENTER.test(program);
}

/** The child that runs in a PID namespace in place of the process `pid`, which waits outside. */
export function childInside(pid: string): string | undefined {
  return fs.readdirSync("/proc").find((name) => {
    if (!/^[1-9]\d*$/.test(name) || parentOf(name) !== pid) return false;
    const program = programOf(`/proc/${name}`);
    return program !== undefined && !ENTER.test(program);
  });
}

/** Undefined for a process that lets nobody look into it, as the first of a PID namespace. */
function programOf(directory: string): string | undefined {
  try {
    return fs.readlinkSync(`${directory}/exe`);
  } catch {
    return undefined;
  }
}

function parentOf(pid: string): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
  } catch {
    return undefined;
  }
}
