/** An image of busybox for containers of jobs, with an entrypoint and a variable of its own. */

import { readFileSync } from "node:fs";
import { type Image, writeImage } from "../image_fixture.ts";
import { findProgram } from "../run_program.ts";
import { directory, file, symlink } from "../tar_fixture.ts";

const APPLETS = "cat echo env hostname id ls pwd readlink rm sh sleep touch true".split(" ");
const ENTRYPOINT = '#!/bin/sh\necho "the entrypoint runs"\nexport ENTRYPOINT=ran\nexec "$@"\n';

/** `content` is what its file `/content` says. */
export function busyboxImage(path: string, content = "of the image\n"): Image {
  return writeImage(path, {
    layers: [[
      ...["bin", "etc", "tmp", "dev", "proc", "sys", "root", "mnt", "var"].map((one) =>
        directory(one)
      ),
      file("bin/busybox", readFileSync(findProgram("busybox")!), { mode: 0o755 }),
      ...APPLETS.map((applet) => symlink(`bin/${applet}`, "busybox")),
      file("bin/entrypoint", ENTRYPOINT, { mode: 0o755 }),
      file("content", content),
    ]],
    config: { Env: ["PATH=/bin", "FROM_IMAGE=image"], Entrypoint: ["/bin/entrypoint"] },
  });
}
