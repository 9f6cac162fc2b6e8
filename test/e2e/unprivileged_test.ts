/** An ordinary user's import loses nothing: the same bytes as root's. */

import assert from "node:assert/strict";
import { chownSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Denroot, readableDenroot } from "../helpers/denroot_command.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { asNobody, nobody } from "../helpers/other_user.ts";
import { directory, file, link, node } from "../helpers/tar_fixture.ts";

test("root's image and an ordinary user's are the same, devices and capabilities included", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root, to become another user");
  const root = new Denroot();
  const image = writeImage(join(root.home, "layout"), {
    layers: [
      [
        directory("usr", { uid: 1000, gid: 1000 }),
        file("usr/suid", "1", { mode: 0o4755 }),
        file("usr/ping", "2", {
          xattrs: {
            "security.capability": Buffer.from("0100000200200000000000000000000000000000", "hex"),
            "user.note": "v",
          },
        }),
        node("null", "3", [1, 3]),
        node("fifo", "6"),
        link("usr/second", "usr/suid", { mode: 0o4755 }),
      ],
      [file("usr/owned", "3", { uid: 12_345, gid: 54_321, mode: 0o600 }), link("x", "usr/ping")],
    ],
  });
  const { command } = readableDenroot(root.home);
  const user = new Denroot({
    name: "an ordinary user",
    command: [...asNobody, ...command],
  });
  try {
    for (const name of ["", ...readdirSync(user.home)]) {
      chownSync(join(user.home, name), nobody, nobody);
    }
    const uri = `oci:${image.directory}:${image.tag}`;
    const [first, second] = [await root.import(uri), await user.import(uri)];
    assert.ok(readFileSync(first).equals(readFileSync(second)));
  } finally {
    root.remove();
    user.remove();
  }
});
