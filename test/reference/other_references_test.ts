/** References to images outside of registries, and names of images in engines and archives. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatReference } from "../../lib/reference/format_reference.ts";
import { fullName, parseImageName } from "../../lib/reference/image_name.ts";
import { defaultOutputName } from "../../lib/reference/output_name.ts";
import { parseReference } from "../../lib/reference/parse_reference.ts";
import type { Reference } from "../../lib/types/reference.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;

/** [text, reference, name of the image file, canonical text where it differs] */
const OTHERS: ReadonlyArray<[string, Reference, string, string?]> = [
  ["oci:dir:@2", { scheme: "oci", path: "dir", index: 2 }, "dir+2.sqsh"],
  [
    "oci-archive:/media/pytorch.tar",
    { scheme: "oci-archive", path: "/media/pytorch.tar" },
    "pytorch.sqsh",
  ],
  [
    "oci-archive:pytorch.tar.zst:25.06",
    { scheme: "oci-archive", path: "pytorch.tar.zst", tag: "25.06" },
    "pytorch+25.06.sqsh",
  ],
  ["oci-archive:a.oci:@0", { scheme: "oci-archive", path: "a.oci", index: 0 }, "a+0.sqsh"],
  [
    `oci-archive:a.oci.tar@${DIGEST}`,
    { scheme: "oci-archive", path: "a.oci.tar", digest: DIGEST },
    `a+${DIGEST}.sqsh`,
  ],
  ["docker-archive:./a.tgz", { scheme: "docker-archive", path: "./a.tgz" }, "a.sqsh"],
  ["docker-archive:.tar", { scheme: "docker-archive", path: ".tar" }, ".tar.sqsh"],
  [
    "docker-archive:/dev/stdin",
    { scheme: "docker-archive", path: "/dev/stdin" },
    "image.sqsh",
  ],
  [
    "docker-archive:a.tar:alpine",
    { scheme: "docker-archive", path: "a.tar", image: "alpine:latest" },
    "alpine+latest.sqsh",
    "docker-archive:a.tar:alpine:latest",
  ],
  [
    "docker-archive:a.tar:localhost:5000/n/app:1",
    { scheme: "docker-archive", path: "a.tar", image: "localhost:5000/n/app:1" },
    "n+app+1.sqsh",
  ],
  ["docker-archive:a.tar:@1", { scheme: "docker-archive", path: "a.tar", index: 1 }, "a+1.sqsh"],
  ["dir:/a/b:c", { scheme: "dir", path: "/a/b:c" }, "b:c.sqsh"],
  ["dockerd://alpine", { scheme: "dockerd", image: "alpine" }, "alpine.sqsh"],
  [
    "dockerd://nvcr.io/nvidia/cuda:12",
    { scheme: "dockerd", image: "nvcr.io/nvidia/cuda:12" },
    "nvcr.io+nvidia+cuda+12.sqsh",
  ],
  [
    "podman://localhost/app:1",
    { scheme: "podman", image: "localhost/app:1" },
    "localhost+app+1.sqsh",
  ],
  [
    `podman://alpine@${DIGEST}`,
    { scheme: "podman", image: `alpine@${DIGEST}` },
    `alpine+sha256+${HEX}.sqsh`,
  ],
  ["podman://d2c94e258dcb", { scheme: "podman", image: "d2c94e258dcb" }, "d2c94e258dcb.sqsh"],
  ["docker-daemon:alpine:3", { scheme: "docker-daemon", image: "alpine:3" }, "alpine+3.sqsh"],
  [
    `docker-daemon:${DIGEST}`,
    { scheme: "docker-daemon", image: DIGEST },
    `sha256+${HEX}.sqsh`,
  ],
  [
    "containers-storage:alpine",
    { scheme: "containers-storage", options: [], image: "alpine" },
    "alpine+latest.sqsh",
  ],
  [
    "containers-storage:[/var/lib/store]localhost/n/app:1",
    {
      scheme: "containers-storage",
      root: "/var/lib/store",
      options: [],
      image: "localhost/n/app:1",
    },
    "n+app+1.sqsh",
  ],
  [
    "containers-storage:[overlay@/a+/run/a:x=1,y=/b:c]docker.io/library/alpine:3",
    {
      scheme: "containers-storage",
      driver: "overlay",
      root: "/a",
      runRoot: "/run/a",
      options: ["x=1", "y=/b:c"],
      image: "docker.io/library/alpine:3",
    },
    "alpine+3.sqsh",
  ],
  [
    `containers-storage:@${HEX}`,
    { scheme: "containers-storage", options: [], image: `@${HEX}` },
    `${HEX}.sqsh`,
  ],
  [
    `containers-storage:alpine:3@${HEX}`,
    { scheme: "containers-storage", options: [], image: `alpine:3@${HEX}` },
    "alpine+3.sqsh",
  ],
  [
    `containers-storage:alpine@${DIGEST}@${HEX}`,
    { scheme: "containers-storage", options: [], image: `alpine@${DIGEST}@${HEX}` },
    `alpine+${DIGEST}.sqsh`,
  ],
  [
    "ostree:busybox",
    { scheme: "ostree", image: "busybox:latest", repository: "/ostree/repo" },
    "busybox+latest.sqsh",
    "ostree:busybox:latest",
  ],
  [
    "ostree:n/app:1@/srv/repo",
    { scheme: "ostree", image: "n/app:1", repository: "/srv/repo" },
    "n+app+1.sqsh",
  ],
  ["./x.tar", { scheme: "path", path: "./x.tar" }, "x.sqsh"],
  ["/images/app", { scheme: "path", path: "/images/app" }, "app.sqsh"],
  ["alpine:3", { scheme: "path", path: "alpine:3" }, "alpine:3.sqsh"],
];

for (const [text, expected, output, canonical] of OTHERS) {
  test(`reads and writes ${text.slice(0, 90)}`, () => {
    const reference = parseReference(text);
    assert.deepEqual(reference, expected);
    assert.equal(defaultOutputName(reference), output);
    assert.equal(formatReference(reference), canonical ?? text);
    assert.deepEqual(parseReference(formatReference(reference)), reference);
  });
}

/** [spelling, full name] */
const SPELLINGS: ReadonlyArray<[string, string]> = [
  ["alpine", "docker.io/library/alpine:latest"],
  ["docker.io/alpine:3", "docker.io/library/alpine:3"],
  ["index.docker.io/library/alpine", "docker.io/library/alpine:latest"],
  ["n/app", "docker.io/n/app:latest"],
  ["localhost/app", "localhost/app:latest"],
  ["nvcr.io/app:1", "nvcr.io/app:1"],
  [`app@${DIGEST}`, `docker.io/library/app@${DIGEST}`],
  [`app:1@${DIGEST}`, `docker.io/library/app:1@${DIGEST}`],
];

for (const [spelling, full] of SPELLINGS) {
  test(`the full name of ${spelling.slice(0, 40)} is ${full.slice(0, 40)}`, () => {
    assert.equal(fullName(parseImageName(spelling)), full);
  });
}
