/** An image's own /etc/fstab cannot take the host's files, nor keep its container from starting. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { planImageMounts } from "../../../lib/container/plan/image_mounts.ts";
import type { ImageMounts } from "../../../lib/types/container.ts";
import { planInputs, ROOT } from "./plan_fixture.ts";

function plan(fstab: string, imageMounts: ImageMounts = "own") {
  return planImageMounts(planInputs({ image: { fstab }, imageMounts, host: { HOME: "/home/me" } }));
}

/** The first four are what enroot's import and ours write, and what a person would write shorter. */
const own = [
  "${ENROOT_ROOTFS}/data /data none x-create=dir,bind,rw,nosuid,nodev",
  "${ENROOT_ROOTFS}/my\\040data /my\\040data none bind",
  "${ENROOT_ROOTFS}/a /b",
  "${ENROOT_ROOTFS}/a /b none rbind,ro,private 0 -1",
  "tmpfs /scratch",
  "tmpfs /scratch tmpfs size=1g,x-create=dir 0 -1",
];
for (const line of own) {
  test(`an image may mount: ${line}`, () => {
    const { mounts, warnings } = plan(line);
    assert.equal(mounts.length, 1);
    assert.equal(mounts[0]!.origin, "/etc/fstab of the image");
    assert.equal(mounts[0]!.onlyOwn, true);
    assert.deepEqual(warnings, []);
  });
}

const foreign = [
  "/ /host none rbind",
  "/home/me /home/me none x-create=dir,bind",
  "${HOME} /mnt",
  "~ /mnt",
  `${ROOT}x /mnt none bind`,
  "${ENROOT_ROOTFS}/../../home /mnt none x-move",
  "proc /proc proc",
  "none /sys none remount,bind,rw",
  "none /proc none x-detach",
  "none / none rshared",
  "tmpfs /x tmpfs bind",
  "${ENROOT_ROOTFS}/a /b overlay lowerdir=/,upperdir=/x",
  "/dev/sda1 / ext4 defaults",
  "${ENROOT_ROOTFS}/a / none bind",
  "tmpfs /a/.. tmpfs",
];
for (const line of foreign) {
  test(`THE HOST IS MOUNTED BY AN IMAGE if this passes: ${line}`, () => {
    const { mounts, warnings } = plan(line);
    assert.deepEqual(mounts, []);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0]!,
      /\/etc\/fstab of the image asks for more .*DENROOT_IMAGE_MOUNTS=all/,
    );
    assert.equal(plan(line, "all").mounts.length, 1);
  });
}

test("lines that are never carried out are not worth a warning", () => {
  assert.deepEqual(plan("UUID=1 / ext4 defaults 0 1\n# x\n"), { mounts: [], warnings: [] });
});

test("one warning names the first mounts that are left out, and the number of the others", () => {
  const { warnings } = plan(["/a", "/b", "/c", "/d", "/e"].join("\n"));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /"\/a" on "\/a", "\/b" on "\/b", "\/c" on "\/c" and 2 more/);
});

test("a wrong line is left out with a warning", () => {
  const { mounts, warnings } = plan("tmpfs\ntmpfs /a\n");
  assert.equal(mounts.length, 1);
  assert.deepEqual(warnings, ["/etc/fstab of the image, line 1, is left out: it has no target"]);
});

test("text of an image cannot control a terminal", () => {
  assert.ok(!plan("/a\\033[2J /b none bind").warnings[0]!.includes("\x1b"));
});

test("a table without end is cut", () => {
  const { mounts, warnings } = plan("tmpfs /a\n".repeat(2000));
  assert.equal(mounts.length, 1000);
  assert.match(warnings[0]!, /more than 1000 lines/);
});

test("a site can forbid all of them", () => {
  assert.deepEqual(plan(own.join("\n"), "none"), { mounts: [], warnings: [] });
});
