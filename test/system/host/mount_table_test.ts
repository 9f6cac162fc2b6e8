/** Which mount holds a path. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { mountOf } from "../../../lib/system/host/mount_table.ts";

const MOUNTS = [
  "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
  "30 22 0:30 / /tmp rw,nosuid,noexec - tmpfs tmpfs rw",
];

test("the innermost and last mount of a path counts, and names may be escaped", () => {
  const table = [
    ...MOUNTS,
    "40 22 0:40 / /mnt/my\\040disk ro - xfs /dev/sdb rw",
    "41 30 0:41 / /tmp rw - xfs /dev/sdc rw",
    "broken line",
  ].join("\n");
  assert.equal(mountOf("/tmp/x", table)?.type, "xfs");
  assert.equal(mountOf("/tmpfile", table)?.type, "ext4");
  assert.deepEqual(mountOf("/mnt/my disk/a", table), {
    path: "/mnt/my disk",
    root: "/",
    type: "xfs",
    readOnly: true,
    noExec: false,
    options: ["ro"],
    superOptions: ["rw"],
  });
  assert.equal(mountOf("/x", ""), undefined);
});
