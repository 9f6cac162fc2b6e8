/** References: every form, its canonical text and the name of its image file. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DenrootError } from "../../lib/errors.ts";
import { formatReference } from "../../lib/reference/format_reference.ts";
import { defaultOutputName } from "../../lib/reference/output_name.ts";
import type { Reference } from "../../lib/types/reference.ts";
import { parseReference } from "../../lib/reference/parse_reference.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;
const HUB = "registry-1.docker.io";

/** [text, user, registry, repository, tag, digest, canonical text, output's name] */
const DOCKER: ReadonlyArray<
  [
    string,
    (string | undefined)?,
    (string | undefined)?,
    (string | undefined)?,
    (string | undefined)?,
    (string | undefined)?,
    (string | undefined)?,
    (string | undefined)?,
  ]
> = [
  [
    "docker://alpine",
    undefined,
    HUB,
    "library/alpine",
    "latest",
    undefined,
    `docker://${HUB}#library/alpine:latest`,
    "alpine+latest.sqsh",
  ],
  [
    "docker://alpine:3.20",
    undefined,
    HUB,
    "library/alpine",
    "3.20",
    undefined,
    `docker://${HUB}#library/alpine:3.20`,
    "alpine+3.20.sqsh",
  ],
  ["docker://library/alpine", undefined, HUB, "library/alpine", "latest"],
  ["docker://docker.io/alpine", undefined, HUB, "library/alpine", "latest"],
  ["docker://docker.io#alpine", undefined, HUB, "library/alpine", "latest"],
  ["docker://docker.io/library/alpine:3", undefined, HUB, "library/alpine", "3"],
  ["docker://index.docker.io/alpine", undefined, HUB, "library/alpine", "latest"],
  ["docker://registry-1.docker.io#alpine", undefined, HUB, "library/alpine", "latest"],
  ["docker://DOCKER.IO/alpine", undefined, HUB, "library/alpine", "latest"],
  [
    "docker://docker.io#nvidia/cuda:12",
    undefined,
    HUB,
    "nvidia/cuda",
    "12",
    undefined,
    `docker://${HUB}#nvidia/cuda:12`,
    "nvidia+cuda+12.sqsh",
  ],
  ["docker://nvidia/cuda", undefined, HUB, "nvidia/cuda", "latest"],
  ["docker://a/b/c:x", undefined, HUB, "a/b/c", "x", undefined, undefined, "a+b+c+x.sqsh"],
  [
    "docker://nvcr.io#nvidia/pytorch:25.06-py3",
    undefined,
    "nvcr.io",
    "nvidia/pytorch",
    "25.06-py3",
    undefined,
    "docker://nvcr.io#nvidia/pytorch:25.06-py3",
    "nvidia+pytorch+25.06-py3.sqsh",
  ],
  [
    "docker://nvcr.io/nvidia/pytorch:25.06-py3",
    undefined,
    "nvcr.io",
    "nvidia/pytorch",
    "25.06-py3",
  ],
  [
    "docker://$oauthtoken@nvcr.io#nvidia/pytorch",
    "$oauthtoken",
    "nvcr.io",
    "nvidia/pytorch",
    "latest",
    undefined,
    "docker://nvcr.io#nvidia/pytorch:latest",
  ],
  ["docker://me@alpine", "me", HUB, "library/alpine", "latest"],
  ["docker://me@alpine:3", "me", HUB, "library/alpine", "3"],
  ["docker://me@example.com@nvcr.io#a:1", "me@example.com", "nvcr.io", "a", "1"],
  ["docker://me@example.com@nvcr.io/a:1", "me@example.com", "nvcr.io", "a", "1"],
  ["docker://_json_key@us-docker.pkg.dev/p/r/i:t", "_json_key", "us-docker.pkg.dev", "p/r/i", "t"],
  [
    "docker://AWS@12345.dkr.ecr.eu-west-2.amazonaws.com/x",
    "AWS",
    "12345.dkr.ecr.eu-west-2.amazonaws.com",
    "x",
    "latest",
  ],
  [
    "docker://00000000-0000-0000-0000-000000000000@r.azurecr.io#x",
    "00000000-0000-0000-0000-000000000000",
    "r.azurecr.io",
    "x",
    "latest",
  ],
  ["docker://a/b@host.example#x", "a/b", "host.example", "x", "latest"],
  ["docker://robot$ci+x@host.example/x", "robot$ci+x", "host.example", "x", "latest"],
  ["docker://localhost/x", undefined, "localhost", "x", "latest"],
  ["docker://localhost#x/y", undefined, "localhost", "x/y", "latest"],
  ["docker://localhost:5000/x:1", undefined, "localhost:5000", "x", "1"],
  ["docker://localhost:5000#x:1", undefined, "localhost:5000", "x", "1"],
  ["docker://myhost#x", undefined, "myhost", "x", "latest"],
  ["docker://myhost:5000/x", undefined, "myhost:5000", "x", "latest"],
  ["docker://my_host:5000/x", undefined, "my_host:5000", "x", "latest"],
  ["docker://Example.COM/x", undefined, "example.com", "x", "latest"],
  ["docker://127.0.0.1:5000/x", undefined, "127.0.0.1:5000", "x", "latest"],
  [
    "docker://[::1]:5000/x/y:1",
    undefined,
    "[::1]:5000",
    "x/y",
    "1",
    undefined,
    "docker://[::1]:5000#x/y:1",
  ],
  ["docker://[::1]:5000#x", undefined, "[::1]:5000", "x", "latest"],
  ["docker://[2001:DB8::1]/x", undefined, "[2001:db8::1]", "x", "latest"],
  ["docker://me@[::1]:5000/x", "me", "[::1]:5000", "x", "latest"],
  [
    `docker://alpine@${DIGEST}`,
    undefined,
    HUB,
    "library/alpine",
    undefined,
    DIGEST,
    `docker://${HUB}#library/alpine@${DIGEST}`,
    `alpine+${DIGEST}.sqsh`,
  ],
  [
    `docker://alpine:3@${DIGEST}`,
    undefined,
    HUB,
    "library/alpine",
    "3",
    DIGEST,
    `docker://${HUB}#library/alpine@${DIGEST}`,
    `alpine+${DIGEST}.sqsh`,
  ],
  [`docker://me@alpine:3@${DIGEST}`, "me", HUB, "library/alpine", "3", DIGEST],
  [`docker://me@nvcr.io#a/b@${DIGEST}`, "me", "nvcr.io", "a/b", undefined, DIGEST],
  [`docker://nvcr.io/a/b:1@${DIGEST}`, undefined, "nvcr.io", "a/b", "1", DIGEST],
  [`docker://nvcr.io#a/b:1@${DIGEST}`, undefined, "nvcr.io", "a/b", "1", DIGEST],
  [`docker://[::1]:5000/x@${DIGEST}`, undefined, "[::1]:5000", "x", undefined, DIGEST],
  [`docker://nvcr.io#a/b:${DIGEST}`, undefined, "nvcr.io", "a/b", undefined, DIGEST],
  [`docker://a@sha512:${HEX}${HEX}`, undefined, HUB, "library/a", undefined, `sha512:${HEX}${HEX}`],
  ["docker://sha256:abc", undefined, HUB, "library/sha256", "abc"],
  ["docker://a.b_c__d-e--f/g:_X.y-Z", undefined, "a.b_c__d-e--f", "g", "_X.y-Z"],
  ["docker://n/a.b_c__d-e---f", undefined, HUB, "n/a.b_c__d-e---f", "latest"],
  [`docker://${"a".repeat(247)}`, undefined, HUB, `library/${"a".repeat(247)}`, "latest"],
  [`docker://a:${"t".repeat(128)}`, undefined, HUB, "library/a", "t".repeat(128)],
];

for (const [text, user, registry, repository, tag, digest, canonical, output] of DOCKER) {
  test(`reads ${text.slice(0, 90)}`, () => {
    const reference = parseReference(text);
    assert(reference.scheme === "docker");
    assert.equal(reference.user, user);
    assert.equal(reference.registry, registry);
    assert.equal(reference.repository, repository);
    assert.equal(reference.tag, tag);
    assert.equal(reference.digest, digest);
    if (canonical !== undefined) assert.equal(formatReference(reference), canonical);
    if (output !== undefined) assert.equal(defaultOutputName(reference), output);
  });
}

/** [text, path, tag, digest, output's name] */
const OCI: ReadonlyArray<
  [string, string, (string | undefined)?, (string | undefined)?, (string | undefined)?]
> = [
  ["oci:dir", "dir", undefined, undefined, "dir.sqsh"],
  ["oci:dir:1.0", "dir", "1.0", undefined, "dir+1.0.sqsh"],
  ["oci:/a/b c/d:tag", "/a/b c/d", "tag", undefined, "d+tag.sqsh"],
  ["oci:./sample/hello", "./sample/hello", undefined, undefined, "hello.sqsh"],
  ["oci:dir/", "dir/", undefined, undefined, "dir.sqsh"],
  ["oci:///abs", "///abs", undefined, undefined, "abs.sqsh"],
  ["oci:.", ".", undefined, undefined, "image.sqsh"],
  ["oci:..", "..", undefined, undefined, "image.sqsh"],
  ["oci:a/..:t", "a/..", "t", undefined, "image+t.sqsh"],
  ["oci:/", "/", undefined, undefined, "image.sqsh"],
  [
    "oci:dir:docker.io/library/alpine:3",
    "dir",
    "docker.io/library/alpine:3",
    undefined,
    "dir+docker.io+library+alpine:3.sqsh",
  ],
  [`oci:dir@${DIGEST}`, "dir", undefined, DIGEST, `dir+${DIGEST}.sqsh`],
  [`oci:dir:t@${DIGEST}`, "dir", "t", DIGEST],
  ["oci:user@host/dir", "user@host/dir"],
];

for (const [text, path, tag, digest, output] of OCI) {
  test(`reads ${text.slice(0, 90)}`, () => {
    const reference = parseReference(text);
    assert(reference.scheme === "oci");
    assert.deepEqual([reference.path, reference.tag, reference.digest], [path, tag, digest]);
    if (output !== undefined) assert.equal(defaultOutputName(reference), output);
  });
}

test("the error for a name that is too long for a file names --output", () => {
  const reference = parseReference(`docker://n/${"a".repeat(250)}`);
  assert.throws(
    () => defaultOutputName(reference),
    (error: unknown) => error instanceof DenrootError && /--output/.test(error.hint ?? ""),
  );
});

test("the canonical text of any accepted reference means the same reference", () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,5})?$/);
  const image = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const host = fc.constantFrom("", "nvcr.io#", "localhost:5000/", "[::1]:5000#", "docker.io/");
  const version = fc.constantFrom("", ":1", `@${DIGEST}`, `:x@${DIGEST}`, `:${DIGEST}`);
  fc.assert(fc.property(host, image, version, (host, image, version) => {
    const uri = `docker://${host}${image}${version}`;
    const { user: _, shortName: __, ...first } = parseReference(uri) as never as
      & Record<string, unknown>
      & { user?: string; shortName?: string };
    const second = parseReference(formatReference(first as never)) as never as Record<
      string,
      unknown
    >;
    if (first.digest !== undefined) delete first.tag;
    assert.deepEqual(second, first);
  }));
});

const PREFIXES = [
  "dockerd://",
  "podman://",
  "docker-daemon:",
  "containers-storage:",
  "oci:",
  "oci-archive:",
  "docker-archive:",
  "dir:",
  "ostree:",
  "",
];

/** The reference without the parts that its canonical text leaves out. */
function withoutHidden(reference: Reference): Reference {
  const { user: _, shortName: __, tag, ...rest } = reference as {
    user?: string;
    shortName?: string;
    tag?: string;
  };
  const isHidden = tag === undefined || (reference as { digest?: string }).digest !== undefined;
  return (isHidden ? rest : { ...rest, tag }) as Reference;
}

test("any text gives a reference or a DenrootError, and the name of the image file is safe", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }).map((text) => `docker://${text}`),
    fc.tuple(fc.constantFrom(...PREFIXES), fc.string()).map((parts) => parts.join("")),
    fc.tuple(fc.constantFrom(...PREFIXES), fc.stringMatching(/^[a-z0-9@:/.+,[\]-]{0,30}$/))
      .map((parts) => parts.join("")),
    fc.stringMatching(/^docker:\/\/[a-z0-9@:#/.[\]-]{0,30}$/),
  );
  fc.assert(fc.property(text, (text) => {
    try {
      const reference = parseReference(text);
      const name = defaultOutputName(reference);
      assert.deepEqual(parseReference(formatReference(reference)), withoutHidden(reference));
      assert.doesNotMatch(name, /[/\p{Cc}]/u);
      assert(name.endsWith(".sqsh") && name !== ".sqsh");
    } catch (error) {
      assert(error instanceof DenrootError, String(error));
      assert.doesNotMatch(error.message, /\p{Cc}/u);
    }
  }));
});
