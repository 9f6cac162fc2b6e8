/**
 * A seccomp filter that lets calls which change owners or ids succeed without doing anything. A
 * container has one user, and programs such as package managers would fail on what it cannot do.
 */

import os from "node:os";
import { check, copyToLibc, libc } from "./libc_calls.ts";

interface Calls {
  readonly architecture: number;
  readonly seccomp: number;
  /** Calls that always succeed. */
  readonly faked: readonly number[];
  /** setfsuid and setfsgid: with -1 they only ask, and the kernel answers. */
  readonly asking: readonly number[];
}

/** chown lchown fchown fchownat setuid setgid setre{u,g}id setres{u,g}id setgroups, by number. */
const X64: Calls = {
  architecture: 0xc000003e,
  seccomp: 317,
  faked: [92, 93, 94, 105, 106, 113, 114, 116, 117, 119, 260],
  asking: [122, 123],
};
const ARM64: Calls = {
  architecture: 0xc00000b7,
  seccomp: 277,
  faked: [54, 55, 143, 144, 145, 146, 147, 149, 159],
  asking: [151, 152],
};
const CALLS = os.arch() === "arm64" ? ARM64 : X64;

const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;

/** Instructions and results of filters: linux/filter.h, linux/seccomp.h. */
const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
/** An error of number 0, which is a success. */
const SUCCEED = 0x00050000;
/** Offsets in `struct seccomp_data`. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const MINUS_ONE = 0xffffffff;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** Installs the filter in this thread, for good. Throws {@link SystemError}. */
export function fakeOwnership(): void {
  const program = filterProgram(CALLS);
  const filter = new DataView(new ArrayBuffer(16));
  filter.setUint16(0, program.length / 8, true);
  filter.setBigUint64(8, BigInt(copyToLibc(program)), true);
  const address = copyToLibc(new Uint8Array(filter.buffer));
  // The flag spares the mitigations that kernels before 5.16 switch on for all filtered programs.
  const { syscall, prctl } = libc();
  const flag = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  if (syscall(CALLS.seccomp, SECCOMP_SET_MODE_FILTER, flag, address, 0) === 0) return;
  check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address, 0, 0), "prctl PR_SET_SECCOMP");
}

/** Programs for other architectures, such as 32-bit ones, pass. */
function filterProgram({ architecture, faked, asking }: Calls): Uint8Array {
  const calls = [...faked, ...asking];
  // Behind the comparisons: allow, load the argument, compare, allow, succeed.
  const end = calls.length;
  const program: Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_IF_EQUAL, 0, end + 1, architecture],
    [LOAD, 0, 0, NUMBER],
    ...calls.map((call, at): Instruction => [
      JUMP_IF_EQUAL,
      end - at - 1 + (at < faked.length ? 4 : 1),
      0,
      call,
    ]),
    [RETURN, 0, 0, ALLOW],
    [LOAD, 0, 0, FIRST_ARGUMENT],
    [JUMP_IF_EQUAL, 0, 1, MINUS_ONE],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, SUCCEED],
  ];
  const bytes = new DataView(new ArrayBuffer(program.length * 8));
  program.forEach(([code, ifTrue, ifFalse, value], at) => {
    bytes.setUint16(at * 8, code, true);
    bytes.setUint8(at * 8 + 2, ifTrue);
    bytes.setUint8(at * 8 + 3, ifFalse);
    bytes.setUint32(at * 8 + 4, value, true);
  });
  return new Uint8Array(bytes.buffer);
}
