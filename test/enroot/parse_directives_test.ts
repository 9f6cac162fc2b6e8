/** Settings in the comments of a configuration script. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDirectives } from "../../lib/enroot/parse_directives.ts";

test("comments that begin with a setting are found, with their lines", () => {
  const script = [
    "#!/usr/bin/env -S enroot batch",
    "#ENROOT_ROOTFS=a.sqsh",
    "# \tENROOT_REMAP_ROOT y",
    "##ENROOT_X=1",
    " #ENROOT_Y=1",
    "ENROOT_Z=1",
    "# see ENROOT_REMAP_ROOT",
    "environ() {",
    "#ENROOT_ROOTFS_WRITABLE=$(id -u)",
    "}",
  ].join("\n");
  assert.deepEqual(parseDirectives(script), [
    { line: 2, text: "ENROOT_ROOTFS=a.sqsh" },
    { line: 3, text: " \tENROOT_REMAP_ROOT y" },
    { line: 9, text: "ENROOT_ROOTFS_WRITABLE=$(id -u)" },
  ]);
});
