/** Processor, C library, memory and clock: every command needs them. */

import type { Settings } from "../config/settings.ts";
import { availableMemory } from "../system/host/memory.ts";
import { memoryLimit, readLimits } from "../system/host/limits.ts";
import { LEAST_BYTES } from "../system/process/prepare_start.ts";
import { RELEASED } from "../system/version.ts";
import { FETCHING, type Finding, Findings } from "./finding.ts";
import type { Machine } from "./machine.ts";

const ALL = [...FETCHING, "create", "start"];
const OLDEST_GLIBC = [2, 17] as const;
const MEBIBYTE = 1024 ** 2;
/** What an import takes beside mksquashfs's own memory. */
const IMPORT_BYTES = 256 * MEBIBYTE;

export function checkMachine(machine: Machine, settings: Settings | undefined): Finding[] {
  const found = new Findings("Machine");
  checkProcessor(found, machine);
  found.ok("Kernel", ALL, machine.kernel);
  checkLibc(found, machine);
  checkMemory(found, machine, settings?.maxProcessors ?? machine.processors);
  checkClock(found, machine);
  return found.list;
}

function checkProcessor(found: Findings, { architecture, processors }: Machine): void {
  const isKnown = ["amd64", "arm64"].includes(architecture);
  found.add(
    isKnown ? "ok" : "error",
    "Processor",
    ALL,
    `${architecture}, ${processors} processors available`,
    isKnown ? undefined : "denroot runs on x86-64 and arm64 only",
  );
}

function checkLibc(found: Findings, machine: Machine): void {
  const { libc } = machine;
  if (libc === undefined && machine.read("/proc/self/maps")?.includes("/libc.so.6")) {
    return checkCalls(found, machine);
  }
  const match = /^glibc (\d+)\.(\d+)/.exec(libc ?? "");
  const [major, minor] = [Number(match?.[1]), Number(match?.[2])];
  const isRecent = major > OLDEST_GLIBC[0] ||
    (major === OLDEST_GLIBC[0] && minor >= OLDEST_GLIBC[1]);
  found.add(
    isRecent ? "ok" : "error",
    "C library",
    ALL,
    libc ?? "this system does not use glibc",
    isRecent ? undefined : `denroot needs glibc ${OLDEST_GLIBC.join(".")} or later`,
  );
}

/** A call into libc takes memory for programs, which may be forbidden. */
function checkCalls(found: Findings, machine: Machine): void {
  const limit = memoryLimit(readLimits(machine));
  // The group of the limits has it.
  if (limit !== undefined && limit[1] < LEAST_BYTES) return;
  found.add(
    "error",
    "C library",
    ["import"],
    "denroot cannot call it: it gets no memory for that",
    "A security module or a seccomp filter forbids it (SELinux: allow execmem)",
  );
}

function checkMemory(found: Findings, machine: Machine, processors: number): void {
  const memory = availableMemory(machine);
  if (memory === undefined) {
    found.add("note", "Memory", ["import"], "this system does not say how much is free");
    return;
  }
  const { bytes, limitedBy } = memory;
  const needed = IMPORT_BYTES + (64 + 8 * processors) * MEBIBYTE;
  const isEnough = bytes >= needed;
  found.add(
    isEnough ? "ok" : "warning",
    "Memory",
    ["import"],
    limitedBy === "machine"
      ? `${megabytes(bytes)} are free on this machine`
      : `${megabytes(bytes)} are left of the control group's limit`,
    isEnough
      ? undefined
      : `An import with ${processors} processors needs about ${megabytes(needed)}. ` +
        "Ask the scheduler for more memory, or set ENROOT_MAX_PROCESSORS lower",
  );
}

function checkClock(found: Findings, machine: Machine): void {
  const now = machine.nowMs();
  const shown = `${new Date(now).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  if (now / 1000 >= RELEASED) return found.ok("Clock", ALL, shown);
  found.add(
    "warning",
    "Clock",
    ALL,
    `it says ${shown}, which is before denroot's release`,
    "Set the clock: while it is wrong, the certificates of registries are refused",
  );
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
