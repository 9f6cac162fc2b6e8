/** What `info` prints under the name enroot. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { enrootInfo } from "../../../lib/command/output/enroot_info.ts";

test("variables have enroot's form, sorted, and those that mean no have none", () => {
  const entry = (name: string, value: string) => ({ name, value, origin: "default" });
  const info = enrootInfo({
    sysconfPath: "/etc/enroot",
    environment: { ENROOT_ROOTFS_WRITABLE: "y" },
    entries: [
      entry("ENROOT_TEMP_PATH", "/tmp"),
      entry("ENROOT_LOGIN_SHELL", "yes"),
      entry("ENROOT_ROOTFS_WRITABLE", "yes"),
      entry("ENROOT_REMAP_ROOT", "no"),
      entry("ENROOT_ROOTFS", ""),
      entry("DENROOT_SHORT_NAMES", "yes"),
      entry("http_proxy", "http://proxy"),
    ],
  });
  assert.equal(
    info,
    `Enroot version: 4.1.2
Config file: /etc/enroot/enroot.conf

Environment variables:
  ENROOT_LOGIN_SHELL=true
  ENROOT_ROOTFS_WRITABLE=y
  ENROOT_TEMP_PATH=/tmp
  ENROOT_VERSION=4.1.2`,
  );
});
