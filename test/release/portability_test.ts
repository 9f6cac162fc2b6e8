/** The libraries that the executables need, read from their headers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { architectures, readElf, releasedExecutable, squashfsTool } from "../helpers/release.ts";

const machines = { x64: "Advanced Micro Devices X86-64", arm64: "AArch64" } as const;
const loaders = { x64: "ld-linux-x86-64.so.2", arm64: "ld-linux-aarch64.so.1" } as const;
/** Red Hat Enterprise Linux 7 has glibc 2.17. */
const oldestGlibcMinor = 17;

for (const architecture of architectures) {
  test(`the executable for ${architecture} needs glibc 2.17 and no other library`, async () => {
    const elf = await readElf(releasedExecutable(architecture));
    assert.equal(elf.machine, machines[architecture]);
    assert.deepEqual(
      elf.needed.toSorted(),
      [loaders[architecture], "libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0"],
    );
    assert.ok(elf.glibc.length > 0, "it asks for no symbol of glibc");
    const newer = elf.glibc.filter(([major, minor]) => major !== 2 || minor > oldestGlibcMinor);
    assert.deepEqual(newer, []);
  });

  for (const tool of ["mksquashfs", "unsquashfs"] as const) {
    test(`the ${tool} for ${architecture} needs no library`, async () => {
      const elf = await readElf(squashfsTool(architecture, tool));
      assert.equal(elf.machine, machines[architecture]);
      assert.deepEqual(elf.needed, []);
      assert.deepEqual(elf.glibc, []);
    });
  }
}
