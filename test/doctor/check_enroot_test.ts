/** Findings about an enroot that cannot read denroot's images. */

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkEnroot, enrootReaders } from "../../lib/doctor/check_enroot.ts";
import { thisMachine } from "../../lib/doctor/machine.ts";
import { findProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { fakeMachine, troubles } from "./machine_fixture.ts";

const READERS = { unsquashfs: "/old/unsquashfs", squashfuse: "/old/squashfuse" };
const ZSTD = { squashOptions: "-comp zstd -Xcompression-level 1" };

test("tools that do not know zstd are named, with the way out", async () => {
  const machine = fakeMachine({
    complaintOf: (program) =>
      Promise.resolve(
        program.endsWith("unsquashfs")
          ? "Filesystem uses unknown compression, this is unsupported by this version"
          : "Squashfs image uses zstd compression, this version supports only zlib.",
      ),
  });
  const findings = await checkEnroot(machine, ZSTD, READERS);
  assert.deepEqual(troubles(findings), [
    "warning enroot's unsquashfs: /old/unsquashfs does not read images that are packed with zstd, as denroot's are",
    "warning enroot's squashfuse: /old/squashfuse does not read images that are packed with zstd, as denroot's are",
  ]);
  assert.match(findings[0]!.remedy!, /ENROOT_SQUASH_OPTIONS="-comp lzo -Xalgorithm lzo1x_1"/);
  const lzo = { squashOptions: "-comp lzo -Xalgorithm lzo1x_1" };
  assert.deepEqual(await checkEnroot(machine, lzo, READERS), []);
});

test("this machine's tools read zstd", async () => {
  const [unsquashfs, squashfuse] = ["unsquashfs", "squashfuse"].map(findProgram);
  const readers = { ...(unsquashfs && { unsquashfs }), ...(squashfuse && { squashfuse }) };
  assert.ok(Object.keys(readers).length > 0);
  assert.deepEqual(await checkEnroot(await thisMachine(), ZSTD, readers), []);
});

test("only an enroot that is a script has such tools", () => {
  const directory = scratchDirectory("path");
  const put = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    chmodSync(join(directory, name), 0o755);
  };
  put("unsquashfs", "#!/bin/sh\n");
  assert.deepEqual(enrootReaders({ PATH: directory }), {});
  put("enroot", "\x7fELF");
  assert.deepEqual(enrootReaders({ PATH: directory }), {});
  put("enroot", "#!/bin/bash\n");
  const { unsquashfs } = enrootReaders({ PATH: directory });
  assert.equal(unsquashfs, join(directory, "unsquashfs"));
});
