/** Errors that a limit caused: which limit the hint names. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DenrootError } from "../../../lib/errors.ts";
import { explainLimit } from "../../../lib/system/host/explain_limit.ts";
import { processorsWithin, readLimits } from "../../../lib/system/host/limits.ts";

const NONE = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max file size             unlimited            unlimited            bytes
Max data size             unlimited            unlimited            bytes
Max stack size            8388608              unlimited            bytes
Max processes             96365                96365                processes
Max open files            1024                 4096                 files
Max address space         unlimited            unlimited            bytes`;

/** A machine's files, with other limits than {@link NONE} by the start of their lines. */
function files(limits: Readonly<Record<string, string>> = {}, others = {}) {
  const text = NONE.split("\n").map((line) => {
    const changed = Object.entries(limits).find(([title]) => line.startsWith(title));
    return changed === undefined ? line : `${changed[0].padEnd(26)}${changed[1]} unlimited x`;
  }).join("\n");
  const all: Readonly<Record<string, string>> = { "/proc/self/limits": text, ...others };
  return { read: (path: string) => all[path], exists: (path: string) => path in all };
}

const SMALL = { "Max address space": "2048000000" };

const TABLE:
  readonly (readonly [message: string, machine: ReturnType<typeof files>, hint: RegExp])[] = [
    ["EMFILE: too many open files, open 'x'", files(), /open files: 1024 \(ulimit -n 1024\)/],
    [
      "EMFILE: too many open files, open 'x'",
      { read: () => undefined, exists: () => false },
      /ulimit -n shows it/,
    ],
    ["Too many open files (os error 24)", files(), /\(ulimit -n 1024\)/],
    ["ENFILE: file table overflow", files(), /fs\.file-max/],
    [
      "EFBIG: file too large, write",
      files({ "Max file size": "1048576" }),
      /the size of a file: 1048 kB \(ulimit -f 1024\)/,
    ],
    ["mksquashfs was ended by SIGXFSZ", files({ "Max file size": "0" }), /0 kB \(ulimit -f 0\)/],
    ["EFBIG: file too large, write", files(), /This file system takes no files of that size/],
    [
      "Failed to spawn worker thread",
      files(SMALL),
      /-u 96365\), address space: 2048 MB \(ulimit -v/,
    ],
    ["posix_spawn failed: EAGAIN", files(), /\(ulimit -u 96365\)/],
    [
      "EAGAIN: resource temporarily unavailable, fork",
      files({}, { "/proc/self/cgroup": "0::/a", "/sys/fs/cgroup/a/pids.max": "20" }),
      /tasks in the control group: 20 \(pids\.max\)/,
    ],
    ["bun:ffi requires the JIT", files(SMALL), /^The limit here is address space: 2048 MB/],
    ["bun:ffi requires the JIT", files(), /A security module or a seccomp filter forbids/],
    ["ENOMEM: not enough memory", files(), /This machine has no memory left/],
    ["mksquashfs was ended by SIGXCPU", files({ "Max cpu time": "60" }), /60 s \(ulimit -t 60\)/],
    [
      "mksquashfs was ended by SIGKILL",
      files({}, { "/proc/self/cgroup": "0::/a", "/sys/fs/cgroup/a/memory.max": "500000000" }),
      /memory of the control group: 500 MB/,
    ],
    ["mksquashfs was ended by SIGKILL", files(), /The kernel kills programs/],
  ];

for (const [message, machine, hint] of TABLE) {
  test(`${message}: ${hint.source}`, () => {
    // The message may be that of a cause.
    const known = new DenrootError("file", "x cannot be read", {
      cause: new Error(message),
      hint: "another",
    });
    const explained = explainLimit(known, machine);
    assert.deepEqual([explained?.code, explained?.message], ["file", "x cannot be read"]);
    assert.match(explained?.hint ?? "", hint);
    const stray = explainLimit(new Error(message), machine);
    assert.equal(stray?.code, "limit");
    assert.match(stray.message, new RegExp(`: ${message.replace(/[()]/g, "\\$&")}$`));
  });
}

test("other errors are left alone", () => {
  for (const message of ["EACCES: permission denied", "EAI_AGAIN", "x is not a function"]) {
    assert.equal(explainLimit(new Error(message), files(SMALL)), undefined);
  }
});

test("processors are as many as mksquashfs has address space for", () => {
  const within = (limits: Readonly<Record<string, string>>) =>
    processorsWithin(readLimits(files(limits)), 128);
  assert.equal(within({}), 128);
  assert.equal(within({ "Max address space": String(2 * 2 ** 30) }), 60);
  assert.equal(within({ "Max data size": "1" }), 1);
  assert.equal(within({ "Max address space": String(2 ** 30), "Max stack size": "1048576" }), 81);
});
