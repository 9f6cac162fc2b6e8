/** What `docker export` gives for an image is what denroot imports. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { useDenroot } from "../helpers/denroot_command.ts";
import { type DockerDaemon, dockersOwnPaths, startDockerDaemon } from "../helpers/docker_daemon.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { assertSameTree, ownPaths } from "../helpers/layer_case.ts";
import {
  directory,
  file,
  link,
  node,
  opaque,
  symlink,
  type TarSpec,
  whiteout,
} from "../helpers/tar_fixture.ts";
import { asEnrootImage, listImage } from "../helpers/tree_listing.ts";

const denroot = useDenroot();
let docker: DockerDaemon;

before(async () => {
  docker = await startDockerDaemon();
});

after(() => docker?.stop());

const root = [directory("etc"), file("etc/passwd", "root:x:0:0::/:/bin/sh\n"), directory("usr")];
const stacks: Readonly<Record<string, readonly (readonly TarSpec[])[]>> = {
  "files, links, devices and modes": [[
    ...root,
    file("usr/suid", "1", { mode: 0o4755 }),
    directory("tmp", { mode: 0o1777 }),
    link("usr/second", "usr/suid", { mode: 0o4755 }),
    symlink("lib", "usr/lib"),
    directory("usr/lib"),
    file("usr/lib/x", "2", { uid: 1000, gid: 50 }),
    node("usr/fifo", "6"),
    node("usr/null", "3", [1, 3]),
    directory("usr/closed", { mode: 0o500 }),
    file("usr/closed/f", "3", { mode: 0o200 }),
  ]],
  "whiteouts, opaque directories and replaced types": [
    [...root, file("usr/a", "1"), directory("usr/d"), file("usr/d/old", "2"), file("usr/t", "3")],
    [whiteout("usr/a"), directory("usr/d"), opaque("usr/d"), file("usr/d/new", "4")],
    [directory("usr/t"), file("usr/t/x", "5"), whiteout("usr/d"), directory("usr/a")],
    [file("usr/d", "6"), whiteout("usr/t/x")],
  ],
  "links whose targets higher layers hide or replace": [
    [
      ...root,
      file("usr/a", "1"),
      link("usr/b", "usr/a"),
      link("usr/c", "usr/a"),
      directory("usr/d"),
      file("usr/d/x", "2"),
      link("usr/y", "usr/d/x"),
    ],
    [whiteout("usr/d"), file("usr/a", "3")],
    [link("usr/e", "usr/b"), link("usr/f", "usr/a")],
    [whiteout("usr/a")],
  ],
  "a symlink that replaces a directory and a directory that replaces a symlink": [
    [
      ...root,
      directory("usr/x"),
      file("usr/x/1", "1"),
      directory("usr/y"),
      file("usr/y/2", "2"),
      symlink("usr/z", "y"),
    ],
    [symlink("usr/x", "y"), directory("usr/z"), file("usr/z/3", "3")],
  ],
};

for (const [title, layers] of Object.entries(stacks)) {
  test(`docker export agrees: ${title}`, async () => {
    const image = writeImage(join(denroot.home, `image-${title.length}`), { layers });
    const tree = await listImage(await denroot.import(`oci:${image.directory}:${image.tag}`));
    const exported = asEnrootImage(await docker.exportedTree(image));
    assert.ok(exported.size > 5);
    assertSameTree(tree, exported, { without: [...ownPaths, ...dockersOwnPaths] });
  });
}
