/** The locations that a configuration gives an image. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { imageLocations, locationName } from "../../lib/containers_conf/image_locations.ts";
import {
  mergeRegistriesFiles,
  type RegistriesConf,
} from "../../lib/containers_conf/registries_conf.ts";
import { parseRegistriesFile } from "../../lib/containers_conf/registries_file.ts";

import { DenrootError } from "../../lib/errors.ts";
import type { DockerReference } from "../../lib/types/reference.ts";

const CONF = conf(`
[[registry]]
prefix = "example.com/foo"
location = "internal.local/bar"
[[registry.mirror]]
location = "mirror-0.local:5000/mirror-for-foo"
[[registry.mirror]]
location = "Mirror-1.local"
insecure = true
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "mirror-2.local"
pull-from-mirror = "tag-only"

[[registry]]
location = "example.com"
insecure = true

[[registry]]
prefix = "example.com/foo/secret"
location = "example.com/foo/public"
insecure = true

[[registry]]
prefix = "*.wild.io"
[[registry.mirror]]
location = "mirror.wild.io/w"

[[registry]]
prefix = "*.deep.wild.io"
location = "deep.local"

[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "hub.local/docker"

[[registry]]
location = "closed.io"
blocked = true
[[registry.mirror]]
location = "open.io/copy"

[[registry]]
prefix = "shut.io"
location = "elsewhere.io"
blocked = true

[[registry]]
prefix = "tohub.io"
location = "docker.io"

[[registry]]
prefix = "viaclosed.io"
location = "viaclosed.io"
[[registry.mirror]]
location = "closed.io/via"

[[registry]]
prefix = "wrong.io"
location = "nodots"
`);

/** [the name, `@` for one with a digest; the locations, `!` for insecure ones, `-` for blocked] */
const CASES: readonly (readonly [name: string, locations: readonly string[]])[] = [
  ["plain.io/app", ["plain.io/app"]],
  ["example.com/foo/img", [
    "mirror-0.local:5000/mirror-for-foo/img",
    "mirror-2.local/img",
    "internal.local/bar/img",
  ]],
  ["example.com/foo/img@", [
    "mirror-0.local:5000/mirror-for-foo/img",
    "mirror-1.local/img!",
    "internal.local/bar/img",
  ]],
  // A prefix ends where a name's part ends, and the longest counts.
  ["example.com/foobar/img", ["example.com/foobar/img!"]],
  ["example.com/foo/secret/img", ["example.com/foo/public/img!"]],
  ["example.com/foo/secret", ["example.com/foo/public!"]],
  ["example.com:5000/app", ["example.com:5000/app!"]],
  ["example.community/app", ["example.community/app"]],
  ["www.example.com/app", ["www.example.com/app"]],
  ["a.wild.io/app", ["mirror.wild.io/w/app", "a.wild.io/app"]],
  ["a.b.wild.io/app", ["mirror.wild.io/w/app", "a.b.wild.io/app"]],
  ["wild.io/app", ["wild.io/app"]],
  ["evilwild.io/app", ["evilwild.io/app"]],
  ["wild.io.evil.com/app", ["wild.io.evil.com/app"]],
  ["x.deep.wild.io/app", ["deep.local/app"]],
  ["docker.io/library/alpine", ["hub.local/docker/library/alpine", "docker.io/library/alpine"]],
  ["tohub.io/alpine", ["docker.io/library/alpine"]],
  ["tohub.io/team/app", ["docker.io/team/app"]],
  // A blocked location leaves its mirrors open.
  ["closed.io/app", ["open.io/copy/app", "closed.io/app-"]],
  ["viaclosed.io/app", ["closed.io/via/app-", "viaclosed.io/app"]],
];

for (const [name, expected] of CASES) {
  test(`${name} is looked for in ${expected.join(", ")}`, () => {
    const locations = imageLocations(reference(name), CONF);
    assert.deepEqual(
      locations.map((location) =>
        locationName(location) + (location.insecure ? "!" : "") + (location.blockedBy ? "-" : "")
      ),
      expected,
    );
    assert.deepEqual(
      locations.map(({ isMirror }) => isMirror),
      locations.map((_, index) => index < locations.length - 1),
    );
  });
}

const FAILING: readonly (readonly [name: string, message: RegExp])[] = [
  [
    "example.com/foo",
    /the location "mirror-2\.local" makes "mirror-2\.local" of example\.com\/foo/,
  ],
  [
    "shut.io/app",
    /^shut\.io\/app is blocked by the configuration: prefix "shut\.io" in FILE, line/,
  ],
  ["wrong.io/app", /^FILE, line \d+: the location "nodots" makes "nodots\/app" of wrong\.io\/app/],
  ["a.b.wild.io:5000/app", /makes "mirror\.wild\.io\/w:5000\/app"/],
];

for (const [name, message] of FAILING) {
  test(`${name} is refused`, () => {
    assert.throws(() => imageLocations(reference(name), CONF), (error: unknown) => {
      assert(error instanceof DenrootError && error.code === "settings");
      assert.match(error.message, message);
      return true;
    });
  });
}

test("with mirror-by-digest-only tags come from the registry itself", () => {
  const only = conf(
    '[[registry]]\nlocation = "a.io"\nmirror-by-digest-only = true\n' +
      '[[registry.mirror]]\nlocation = "m.io"\n',
  );
  assert.deepEqual(imageLocations(reference("a.io/x"), only).map(locationName), ["a.io/x"]);
  assert.deepEqual(imageLocations(reference("a.io/x@"), only).map(locationName), [
    "m.io/x",
    "a.io/x",
  ]);
});

/** [a prefix that is blocked, a name that it blocks, a name that it does not block] */
const BLOCKED_IMAGES: readonly (readonly [prefix: string, hit: string, free: string])[] = [
  ["a.io/team/app:latest", "a.io/team/app", "a.io/team/app@"],
  ["a.io/team/app:late", "a.io/team/app:late", "a.io/team/app"],
  [`a.io/team/app@sha256:${"0".repeat(64)}`, "a.io/team/app@", "a.io/team/app"],
  ["docker.io/library/alpine:bad", "docker.io/library/alpine:bad", "docker.io/library/alpine"],
];

for (const [prefix, hit, free] of BLOCKED_IMAGES) {
  test(`blocking ${prefix} blocks this image only, behind another name too`, () => {
    const repository = prefix.replace(/(@|:).*/, "");
    const rules = conf(
      `[[registry]]\nlocation = "${prefix}"\nblocked = true\n` +
        `[[registry]]\nprefix = "b.io/copy"\nlocation = "${repository}"\n`,
    );
    const isBlocked = (error: unknown) =>
      error instanceof DenrootError && error.code === "settings" &&
      error.message.includes(`is blocked by the configuration`);
    const behind = (name: string) => reference(name.replace(repository, "b.io/copy"));
    assert.throws(() => imageLocations(reference(hit), rules), isBlocked);
    assert.throws(() => imageLocations(behind(hit), rules), isBlocked);
    assert.equal(imageLocations(reference(free), rules)[0]!.blockedBy, undefined);
    assert.equal(imageLocations(behind(free), rules)[0]!.blockedBy, undefined);
  });
}

function conf(text: string): RegistriesConf {
  return mergeRegistriesFiles([parseRegistriesFile(text, "FILE")]);
}

function reference(text: string): DockerReference {
  const isByDigest = text.endsWith("@");
  const tag = /:([a-z]+)$/.exec(text)?.[1] ?? "latest";
  const name = text.replace(/(?:@|:[a-z]+)$/, "");
  const slash = name.indexOf("/");
  const host = name.slice(0, slash);
  return {
    scheme: "docker",
    registry: host === "docker.io" ? "registry-1.docker.io" : host,
    repository: name.slice(slash + 1),
    ...(isByDigest ? { digest: `sha256:${"0".repeat(64)}` } : { tag }),
  };
}
