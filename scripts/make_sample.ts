/** Writes sample/hello, the image of a few kilobytes that the README imports. */

import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Image, writeImage, writeIndex } from "../test/helpers/image_fixture.ts";
import { directory, file, link, symlink, whiteout } from "../test/helpers/tar_fixture.ts";

const target = fileURLToPath(new URL("../sample/hello", import.meta.url));

const greeting = `#!/bin/sh
# What the image runs.
. /etc/os-release
echo "Hello, \${1:-world}, from $PRETTY_NAME"
`;

const osRelease = `ID=hello
NAME="Hello"
PRETTY_NAME="the sample image"
VERSION_ID=1
`;

const base = [
  directory("bin"),
  file("bin/hello", greeting, { mode: 0o755 }),
  link("bin/greet", "bin/hello", { mode: 0o755 }),
  directory("etc"),
  file("etc/os-release", osRelease),
  file("etc/motd", "The base layer wrote this.\n"),
  file("etc/hidden-by-a-whiteout", "No import shows this.\n"),
  directory("usr/lib"),
  symlink("usr/lib/os-release", "../../etc/os-release"),
];

const upper = [
  file("etc/motd", "The upper layer wrote this.\n"),
  whiteout("etc/hidden-by-a-whiteout"),
  directory("srv", { mode: 0o750, uid: 1000, gid: 1000 }),
  file("srv/secret", "Readable by its owner only.\n", { mode: 0o600, uid: 1000, gid: 1000 }),
];

/** The same layers for each architecture: nothing in them is a program for a processor. */
function sampleFor(architecture: string): Image {
  return writeImage(target, {
    layers: [base, upper],
    platform: { os: "linux", architecture },
    listed: false,
    config: {
      Env: ["PATH=/usr/local/bin:/usr/bin:/bin", "GREETING=Hello"],
      Entrypoint: ["/bin/hello"],
      Cmd: ["world"],
      WorkingDir: "/srv",
      Volumes: { "/data": {} },
      Labels: {
        "org.opencontainers.image.title": "hello",
        "org.opencontainers.image.description": "A sample for denroot",
      },
    },
  });
}

rmSync(target, { recursive: true, force: true });
const images = ["amd64", "arm64"].map(sampleFor);
writeIndex(
  target,
  images.map((image) => ({ blob: image.manifest, platform: image.platform })),
  { tag: "latest" },
);
