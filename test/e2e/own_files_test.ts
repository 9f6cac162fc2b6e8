/** Where enroot's own files go in images whose `/etc` is not a plain directory. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { useDenroot } from "../helpers/denroot_command.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { importedTree } from "../helpers/layer_case.ts";
import { runProgram } from "../helpers/run_program.ts";
import { directory, file, symlink } from "../helpers/tar_fixture.ts";
import { readFromImage, withUnpacked } from "../helpers/tree_listing.ts";

const denroot = useDenroot();

test("the image holds enroot's own files with the image's configuration", async () => {
  const image = writeImage(join(denroot.home, "configured"), {
    layers: [[directory("etc"), file("etc/fstab", "the image's own"), file("bin/x", "1")]],
    config: {
      Env: ["PATH=/bin", "QUOTED=a 'b' \"c\" $d"],
      Entrypoint: ["/bin/echo", "it's"],
      Cmd: ["a b", "$(touch /tmp/injected)"],
      WorkingDir: "/srv/work dir",
      Volumes: { "/data": {} },
      Labels: { note: "first line\nrm -rf /", "esc": "\u001b[31mred" },
    },
  });
  const output = await denroot.import(`oci:${image.directory}:${image.tag}`);
  const rc = await readFromImage(output, "etc/rc");
  assert.match(rc, /^# enroot-provenance: oci:/);
  assert.ok(!/^rm -rf/m.test(rc), "a label became a command");
  assert.ok(!rc.includes("\u001b"), "a terminal escape came through");
  assert.match(await readFromImage(output, "etc/environment"), /^PATH=\/bin$/m);
  assert.match(await readFromImage(output, "etc/fstab"), /\/data /);
  assert.match(await readFromImage(output, ".enroot/source"), /^uri=oci:.+\n$/);
  // The script itself, run by a real shell in a root of its own.
  const said = await withUnpacked(output, async (root) => {
    const script = (await readFromImage(output, "etc/rc"))
      .replaceAll("/etc/rc.local", join(root, "etc/rc.local"))
      .replaceAll("/srv/work dir", join(root, "srv/work dir"));
    return (await runProgram("sh", ["-c", script, "rc"])).stdout;
  });
  assert.equal(said, "it's a b $(touch /tmp/injected)\n");
});

for (const target of ["usr/etc", "/usr/etc", "./usr/../usr/etc"]) {
  test(`where etc is a symlink to ${target}, enroot's files go there and the link stays`, async () => {
    const tree = await importedTree(denroot, {
      layers: [
        [directory("usr/etc"), file("usr/etc/passwd", "root"), symlink("etc", target)],
        [file("usr/etc/group", "root")],
      ],
    });
    assert.equal(tree.get("etc")!.linkPath, target);
    for (const name of ["rc", "rc.local", "fstab", "environment", "passwd", "group"]) {
      assert.equal(tree.get(`usr/etc/${name}`)?.type, "file", name);
    }
  });
}

test("where etc/rc is a symlink, it stays and its target inside the root is enroot's", async () => {
  const tree = await importedTree(denroot, {
    layers: [[
      directory("etc"),
      directory("run"),
      symlink("etc/rc", "../run/started-by"),
      symlink("etc/fstab", "/etc/fstab.real"),
      file("etc/fstab.real", "the image's own"),
    ]],
  });
  assert.equal(tree.get("etc/rc")!.linkPath, "../run/started-by");
  assert.equal(tree.get("run/started-by")!.type, "file");
  assert.equal(tree.get("etc/fstab")!.linkPath, "/etc/fstab.real");
  assert.equal(tree.get("etc/fstab.real")!.size, 0);
});

test("a symlinked etc that climbs or loops cannot lead enroot's files out", async () => {
  for (const layer of [[symlink("etc", "../../../tmp/out")], [symlink("etc", "etc")]]) {
    const tree = await importedTree(denroot, { layers: [layer] }).catch((error) => String(error));
    if (typeof tree === "string") {
      assert.match(tree, /etc/);
      assert.doesNotMatch(tree, /mistake in denroot/);
    } else {
      for (const path of tree.keys()) assert.ok(!path.split("/").includes(".."), path);
    }
  }
});
