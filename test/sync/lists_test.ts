/** Lists, patterns, ranges and destinations: tables of texts. */

import assert from "node:assert/strict";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseTarget } from "../../lib/sync/destination/parse_target.ts";
import { parseListItem } from "../../lib/sync/list/list_item.ts";
import { globTest } from "../../lib/sync/list/name_pattern.ts";
import { parseList } from "../../lib/sync/list/parse_list.ts";
import { readLists } from "../../lib/sync/list/read_lists.ts";
import { semverRange } from "../../lib/sync/list/semver_range.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { isError } from "../transport/registry/registry_fixture.ts";

const RANGES: ReadonlyArray<readonly [range: string, inside: string, outside: string]> = [
  [">=3.18 <3.21", "3.18 3.18.4 3.20.9 v3.19", "3.17.9 3.21 3.21.1 latest 3.20-rc1 3.20.1.2"],
  [">= 3.18, < 3.21", "3.18 3.20", "3.21 3.17"],
  ["~1.2", "1.2 1.2.9", "1.1 1.3 2.2"],
  ["~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3"],
  ["~1", "1 1.9.9", "2 0.9"],
  ["^1.2", "1.2 1.9 1.2.3", "1.1 2"],
  ["^0.2.3", "0.2.3 0.2.9", "0.3 0.2.2 1"],
  ["^0", "0 0.9", "1"],
  ["3.12 - 3.13", "3.12 3.13 3.13.9", "3.11.9 3.14"],
  ["1.x || >=3", "1.0 1.9.2 3 4.1", "2 2.9"],
  ["1.2.*", "1.2 1.2.7", "1.3"],
  ["=1.2", "1.2 1.2.0 1.2.3", "1.3"],
  [">1.2", "1.3 2", "1.2 1.2.5"],
  ["<=1.2", "1.2.9 1.1", "1.3"],
  ["!=1.2.3", "1.2.4", "1.2.3"],
  [">=1.0-rc.2", "1.0-rc.2 1.0-rc.10 1.0 1.1", "1.0-rc.1 0.9"],
];

for (const [range, inside, outside] of RANGES) {
  test(`the range ${range} has ${inside}, and not ${outside}`, () => {
    const fits = semverRange(range);
    const wrong = [
      ...inside.split(" ").filter((tag) => !fits(tag)),
      ...outside.split(" ").filter((tag) => fits(tag)),
    ];
    assert.deepEqual(wrong, []);
  });
}

for (const range of ["", ">=", "one", ">=1.2.3.4", "1.2 || "]) {
  test(`${JSON.stringify(range)} is no range`, () => {
    assert.throws(() => semverRange(range), isError("reference", /is no range of versions/));
  });
}

const GLOBS: ReadonlyArray<readonly [glob: string, inside: string, outside: string]> = [
  ["25.*", "25.06 25.06-py3", "2506 125.06"],
  ["team/*", "team/app", "team/app/deep team"],
  ["team/**", "team/app team/app/deep", "teams/app"],
  ["**", "a a/b", " "],
  ["v?", "v1", "v v12"],
  ["a.b+c*", "a.b+cd", "axb+c"],
];

for (const [glob, inside, outside] of GLOBS) {
  test(`the glob ${glob} fits ${inside}, and not ${outside.trim() || "nothing"}`, () => {
    const fits = globTest(glob);
    assert.deepEqual(inside.split(" ").filter((name) => !fits(name)), []);
    assert.deepEqual(outside.split(" ").filter((name) => name !== "" && fits(name)), []);
  });
}

/** What an entry becomes: a URI's reference, or registry, repositories and the tags that fit. */
const TAGS = ["3.18", "3.20", "25.06", "edge", "latest"];
const ITEMS: ReadonlyArray<readonly [text: string, expected: unknown]> = [
  ["docker://far.example/app:v1", ["far.example", "app", "v1"]],
  ["docker://far.example#app:v1", ["far.example", "app", "v1"]],
  ["docker://far.example/app", ["far.example", "app", "latest"]],
  ["docker://far.example/app:3.*", ["far.example", "app", ["3.18", "3.20"]]],
  ["docker://far.example:5000/app:~3.18", ["far.example:5000", "app", ["3.18"]]],
  ["docker://far.example/app:>=3.19", ["far.example", "app", ["3.20", "25.06"]]],
  ["docker://alpine:2?.06", ["registry-1.docker.io", "library/alpine", ["25.06"]]],
  ["docker://far.example/team/*", ["far.example", "team/*", TAGS]],
  ["docker://far.example/team/*:25.*", ["far.example", "team/*", ["25.06"]]],
  ["docker://far.example/team/", ["far.example", "team/**", TAGS]],
  ["docker://far.example", ["far.example", "**", TAGS]],
  ["docker://far.example:5000/", ["far.example:5000", "**", TAGS]],
];

function told(item: ReturnType<typeof parseListItem>): unknown {
  if (item.type === "repositories") {
    return [item.registry, item.repositories, TAGS.filter((tag) => item.tags(tag))];
  }
  const { reference } = item;
  if (reference.scheme !== "docker") return reference;
  return [reference.registry, reference.repository, reference.digest ?? reference.tag];
}

for (const [text, expected] of ITEMS) {
  test(`a list reads ${text}`, () => assert.deepEqual(told(parseListItem(text)), expected));
}

test("an entry names its user, and a pattern its registry", () => {
  const item = parseListItem("docker://me@far.example/app:1.*");
  assert.equal(item.type === "repositories" && item.user, "me");
  assert.throws(() => parseListItem("docker://alp*"), isError("reference", /in which registry/));
});

test("lines have comments, and names without a scheme", async () => {
  const text = "# images\n\ndocker://far.example#team/app:v1  # enroot's form\r\n" +
    "registry.k8s.io/pause:3.9\nalpine\noci:layout:v1\n";
  const items = await parseList(text, "The list");
  assert.deepEqual(items.map(told), [
    ["far.example", "team/app", "v1"],
    ["registry.k8s.io", "pause", "3.9"],
    ["registry-1.docker.io", "library/alpine", "latest"],
    { scheme: "oci", path: "layout", tag: "v1" },
  ]);
});

const YAML = `
# as in skopeo's manual
registry.example.com:
    images:
        busybox: []
        tools:
        redis:
            - 1.10
            - "2.0"
            - sha256:${"a".repeat(64)}
    images-by-tag-regex:
        nginx: ^3\\.2
        httpd: (?i)^LATEST$
    images-by-semver:
        alpine: ">= 3.19.0"
    credentials:
        username: john
        password: 0123
    tls-verify: false
localhost:5000:
    images: {other: [v1]}
`;

test("YAML is read as skopeo sync reads it", async () => {
  const items = await parseList(YAML, "The list");
  const host = "registry.example.com";
  assert.deepEqual(items.map(told), [
    [host, "busybox", TAGS],
    [host, "tools", TAGS],
    [host, "redis", "1.10"],
    [host, "redis", "2.0"],
    [host, "redis", `sha256:${"a".repeat(64)}`],
    [host, "nginx", ["3.20"].filter((tag) => /^3\.2/.test(tag))],
    [host, "httpd", ["latest"]],
    [host, "alpine", ["3.20", "25.06"]],
    ["localhost:5000", "other", "v1"],
  ]);
  assert.deepEqual(items[0]!.side, { user: "john", password: "0123", acceptsAnyCertificate: true });
  assert.deepEqual(items.at(-1)!.side, {});
});

const BROKEN: ReadonlyArray<readonly [text: string, message: RegExp]> = [
  ["\n# nothing\n", /names no images/],
  ["docker://far.example/app\ndocker://far.example/App\n", /line 2: Invalid image reference/],
  ["sif:thing:x\n", /line 1: The scheme "sif:" is not supported|line 1/],
  ["host:\n  images: {a: [b}", /The list: /],
  ["host:\n  image: {a: [b]}", /has the field "image"/],
  ["host:\n  images: {a: b}", /must be an array/],
  ["host:\n  images-by-tag-regex: {a: '('}", /The list: /],
  ["host:\n  images-by-tag-regex: {a: '^[[:digit:]]+$'}", /does not read the class/],
  ["host:\n  images-by-semver: {a: new}", /no range of versions/],
  ["host:\n  credentials: {username: me}", /"password" must be a string/],
  ["---\n- a\n- b\n", /names no registries/],
];

for (const [text, message] of BROKEN) {
  test(`a list is refused: ${JSON.stringify(text)}`, async () => {
    await assert.rejects(parseList(text, "The list"), isError("definition", message));
  });
}

test("an error in a list does not show a password", async () => {
  const text = "host:\n  credentials: {username: me, password: [hunter2]}";
  await assert.rejects(parseList(text, "The list"), (error: Error) => {
    return !error.message.includes("hunter2");
  });
});

const TARGETS: ReadonlyArray<readonly [text: string, expected: object]> = [
  ["docker://far.example", { type: "registry", registry: "far.example", prefix: "" }],
  ["docker://far.example:5000/", { type: "registry", registry: "far.example:5000", prefix: "" }],
  ["docker://far.example/a/b", { type: "registry", registry: "far.example", prefix: "a/b" }],
  ["docker://far.example/a/", { type: "registry", registry: "far.example", prefix: "a" }],
  ["docker://me@far.example#a", {
    type: "registry",
    registry: "far.example",
    user: "me",
    prefix: "a",
  }],
  ["docker://docker.io/me", { type: "registry", registry: "registry-1.docker.io", prefix: "me" }],
  ["oci:dir", { type: "layout", path: "dir" }],
  ["oci-archive:/dev/stdout", { type: "archive", path: "/dev/stdout" }],
];

for (const [text, expected] of TARGETS) {
  test(`the destination ${text} is understood`, () => {
    const scoped = expected && "registry" in expected ? { scoped: false } : {};
    assert.deepEqual(parseTarget(text, false), { ...expected, ...scoped });
  });
}

const REFUSED: ReadonlyArray<readonly [text: string, code: "reference" | "unsupported"]> = [
  ["docker://far.example/app:v1", "reference"],
  [`docker://far.example/app@sha256:${"a".repeat(64)}`, "reference"],
  ["oci:dir:v1", "reference"],
  ["docker-archive:file.tar", "unsupported"],
  ["docker-daemon:app", "unsupported"],
  ["file.tar", "unsupported"],
];

for (const [text, code] of REFUSED) {
  test(`the destination ${text} is refused`, () => {
    assert.throws(() => parseTarget(text, false), isError(code, /a list/));
  });
}

test("a path of images in the place of a list is told how to write it", async () => {
  const scratch = scratchDirectory("lists");
  const path = (name: string) => join(scratch, name);
  mkdirSync(path("layout"));
  writeFileSync(path("small.tar"), "a\0");
  writeFileSync(path("large.tar"), "");
  truncateSync(path("large.tar"), 17 * 2 ** 20);
  writeFileSync(path("parts.tar.001"), "");
  for (const name of ["small.tar", "large.tar", "parts.tar"]) {
    await assert.rejects(readLists([path(name)]), {
      hint: `To take the images of an archive, write oci-archive:${path(name)}`,
    });
  }
  await assert.rejects(readLists([path("layout")]), {
    hint: `To take the images of a layout, write oci:${path("layout")}`,
  });
});
