/** What `/proc` says of a process, in the forms of ps(1). */

import fs from "node:fs";

export interface ProcessFacts {
  readonly pid: number;
  /** The program's short name. */
  readonly name: string;
  /** ps's letters: the state, then `<`, `N`, `L`, `s`, `l` and `+`. */
  readonly state: string;
  readonly started: Date;
  /** Since its start. */
  readonly seconds: number;
  /** The numbers of the namespaces of its mounts and of its users. */
  readonly mountNamespace: string;
  readonly userNamespace: string;
  /** The program and its arguments, separated by blanks; on one line. */
  readonly command: string;
}

/** Linux counts in these units wherever it shows times of processes. */
const TICKS_PER_SECOND = 100;

/** Undefined when the process has ended or is another user's. */
export function processFacts(pid: number): ProcessFacts | undefined {
  try {
    const fields = statOf(pid);
    const uptime = Number(fs.readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    const seconds = Math.max(0, Math.floor(uptime - Number(fields[19]) / TICKS_PER_SECOND));
    const name = read(pid, "comm").replace(/\n$/, "");
    return {
      pid,
      name: onOneLine(name),
      state: stateOf(pid, fields, read(pid, "status")),
      started: new Date(Date.now() - seconds * 1000),
      seconds,
      mountNamespace: namespace(pid, "mnt"),
      userNamespace: namespace(pid, "user"),
      command: commandOf(read(pid, "cmdline"), name, fields[0]!),
    };
  } catch {
    return undefined;
  }
}

/** When a process began, in ticks since the machine did; undefined when it has ended. */
export function startTicks(pid: number): number | undefined {
  try {
    return Number(statOf(pid)[19]);
  } catch {
    return undefined;
  }
}

/** The fields of proc(5)'s `stat` from the third one on. */
function statOf(pid: number): string[] {
  const stat = read(pid, "stat");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** `fields` as {@link statOf} gives them. */
function stateOf(pid: number, fields: readonly string[], status: string): string {
  const [state, , group, session, , terminalGroup] = fields;
  const nice = Number(fields[16]);
  return [
    state,
    nice < 0 ? "<" : nice > 0 ? "N" : "",
    /^VmLck:\s+[1-9]/m.test(status) ? "L" : "",
    Number(session) === pid ? "s" : "",
    Number(fields[17]) > 1 ? "l" : "",
    group === terminalGroup ? "+" : "",
  ].join("");
}

function commandOf(cmdline: string, name: string, state: string): string {
  const words = cmdline.replace(/\0+$/, "").replaceAll("\0", " ");
  const command = words === "" ? `[${name}]` : words;
  return onOneLine(state === "Z" ? `${command} <defunct>` : command);
}

/** ps shows a question mark for what it cannot print. */
function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\ufffd]/gu, "?");
}

function namespace(pid: number, kind: "mnt" | "user"): string {
  return fs.readlinkSync(`/proc/${pid}/ns/${kind}`).replace(/\D/g, "");
}

function read(pid: number, name: string): string {
  return fs.readFileSync(`/proc/${pid}/${name}`, "utf8");
}
