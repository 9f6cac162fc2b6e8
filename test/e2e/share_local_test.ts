/** Images that a share would give, on a machine whose own disk is in trouble. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { releasedDenroot } from "../helpers/denroot_command.ts";
import { runProgram, startProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const skip = process.getuid!() !== 0 && "needs root, to mount a small disk";

test("a machine without a share whose disk is full says what to do", { skip }, async () => {
  const scratch = scratchDirectory("share-local");
  const disk = join(scratch, "disk");
  mkdirSync(disk);
  await runProgram("mount", ["-t", "tmpfs", "-o", "size=64k,mode=700", "full", disk]);
  try {
    mkdirSync(join(disk, "denroot-share-0"), { mode: 0o700 });
    assert.throws(() => writeFileSync(join(disk, "other"), new Uint8Array(131_072)));
    const [denroot] = releasedDenroot().command;
    // Nothing is asked of this registry.
    const { exitCode, stderr } = await startProgram(
      denroot,
      ["share", "get", "docker://[::1]:1#x"],
      {
        env: { HOME: scratch, ENROOT_SYSCONF_PATH: scratch, ENROOT_TEMP_PATH: disk },
      },
    ).done;
    assert.equal(exitCode, 1);
    assert.match(stderr, /\[ERROR\] .*\/denroot-share-0 cannot be used: ENOSPC.*\n.*LOCAL_PATH/);
  } finally {
    await runProgram("umount", [disk]);
  }
});
