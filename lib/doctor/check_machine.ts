/** Processor, C library, memory and clock: what every command stands on. */

import type { Settings } from "../config/settings.ts";
import { RELEASED } from "../system/version.ts";
import { FETCHING, type Finding, Findings } from "./finding.ts";
import type { Machine } from "../system/host/machine.ts";

const ALL = [...FETCHING, "create", "start"];
const OLDEST_GLIBC = [2, 17] as const;
/** What an import takes beside mksquashfs's own memory. */
const IMPORT_BYTES = 256 * 1024 ** 2;
const MEBIBYTE = 1024 ** 2;

export function checkMachine(machine: Machine, settings: Settings | undefined): Finding[] {
  const found = new Findings("Machine");
  const known = ["amd64", "arm64"].includes(machine.architecture);
  found.add(
    known ? "ok" : "error",
    "Processor",
    ALL,
    `${machine.architecture}, ${machine.processors} may be used`,
    known ? undefined : "denroot's executables are for x86-64 and arm64",
  );
  found.ok("Kernel", ALL, machine.kernel);
  checkLibc(found, machine);
  checkMemory(found, machine, settings?.maxProcessors ?? machine.processors);
  checkClock(found, machine);
  return found.list;
}

function checkLibc(found: Findings, { libc }: Machine): void {
  const match = /^glibc (\d+)\.(\d+)/.exec(libc ?? "");
  const [major, minor] = [Number(match?.[1]), Number(match?.[2])];
  const isRecent = major > OLDEST_GLIBC[0] ||
    (major === OLDEST_GLIBC[0] && minor >= OLDEST_GLIBC[1]);
  found.add(
    isRecent ? "ok" : "error",
    "C library",
    ALL,
    libc ?? "not glibc",
    isRecent ? undefined : `denroot needs glibc ${OLDEST_GLIBC.join(".")} or later`,
  );
}

function checkMemory(found: Findings, machine: Machine, processors: number): void {
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(machine.read("/proc/meminfo") ?? "")?.[1];
  const limits = [
    { whose: "of the machine", bytes: available === undefined ? NaN : Number(available) * 1024 },
    { whose: "of the control group", bytes: cgroupRoom(machine) ?? NaN },
  ].filter(({ bytes }) => !Number.isNaN(bytes));
  if (limits.length === 0) {
    found.add("note", "Memory", ["import"], "how much there is cannot be told");
    return;
  }
  const { whose, bytes } = limits.reduce((least, limit) =>
    limit.bytes < least.bytes ? limit : least
  );
  const needed = IMPORT_BYTES + (64 + 8 * processors) * MEBIBYTE;
  const isEnough = bytes >= needed;
  found.add(
    isEnough ? "ok" : "warning",
    "Memory",
    ["import"],
    `${megabytes(bytes)} ${whose} may be used`,
    isEnough
      ? undefined
      : `An import with ${processors} processors takes about ${megabytes(needed)}. ` +
        "Ask the scheduler for more, or set ENROOT_MAX_PROCESSORS lower",
  );
}

/** What version 2's or version 1's limit of this process's group leaves. */
function cgroupRoom(machine: Machine): number | undefined {
  const groups = machine.read("/proc/self/cgroup") ?? "";
  const second = /^0::(\/.*)$/m.exec(groups)?.[1];
  const first = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1];
  const rooms = [
    ...upwards("/sys/fs/cgroup", second)
      .map((path) => room(machine, `${path}/memory.max`, `${path}/memory.current`)),
    ...upwards("/sys/fs/cgroup/memory", first).map((path) =>
      room(machine, `${path}/memory.limit_in_bytes`, `${path}/memory.usage_in_bytes`)
    ),
  ].filter((bytes) => bytes !== undefined);
  return rooms.length === 0 ? undefined : Math.min(...rooms);
}

/** A limit of any group above holds too. */
function upwards(base: string, group: string | undefined): string[] {
  if (group === undefined) return [];
  const parts = group.split("/").filter((part) => part !== "" && part !== "..");
  return parts.map((_, index) => `${base}/${parts.slice(0, index + 1).join("/")}`).concat(base);
}

function room(machine: Machine, limitFile: string, usageFile: string): number | undefined {
  const limit = Number(machine.read(limitFile) || NaN);
  // Version 1 says "none" by the largest multiple of a page.
  if (!Number.isFinite(limit) || limit > 2 ** 60) return undefined;
  return Math.max(0, limit - Number(machine.read(usageFile) ?? 0));
}

function checkClock(found: Findings, machine: Machine): void {
  const now = machine.nowMs();
  const shown = `${new Date(now).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  if (now / 1000 >= RELEASED) return found.ok("Clock", ALL, shown);
  found.add(
    "warning",
    "Clock",
    ALL,
    `${shown} is before denroot's release`,
    "Set the clock: with a wrong one the certificates of registries are refused",
  );
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
