/** Images whose documents are odd but legal are imported; answers of other servers are named. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { testOneRuntime, useDenroot } from "../helpers/denroot_command.ts";
import { startFakeRegistry } from "../helpers/fake_registry.ts";
import { hostArchitecture, writeImage } from "../helpers/image_fixture.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";
import { listImage } from "../helpers/tree_listing.ts";

const denroot = useDenroot();
const PLATFORM = { os: "linux", architecture: hostArchitecture() };

test("an image is found between broken and special entries of its index", async () => {
  const layout = scratchDirectory("odd");
  const write = (name: string) =>
    writeImage(layout, { layers: [[file(name, "1")]], platform: PLATFORM, tag: name });
  write("special");
  write("ordinary");
  const path = join(layout, "index.json");
  const index = JSON.parse(readFileSync(path, "utf8"));
  const [special, ordinary] = index.manifests;
  const spelt = hostArchitecture() === "amd64" ? "x86_64" : "AArch64";
  const annotations = { "org.opencontainers.image.ref.name": "t", odd: [1] };
  index.manifests = [
    { ...special, annotations, platform: { ...PLATFORM, "os.features": ["nydus.remoteimage.v1"] } },
    { ...special, annotations, digest: `blake3:${"0".repeat(64)}`, platform: PLATFORM },
    null,
    { ...ordinary, annotations, platform: { os: "Linux", architecture: spelt } },
  ];
  writeFileSync(path, `\ufeff${JSON.stringify(index)}\n\n`);
  const tree = await listImage(await denroot.import(`oci:${layout}:t`));
  assert.deepEqual([tree.has("ordinary"), tree.has("special")], [true, false]);
});

/** [when the image was made, the time in the squashfs's superblock] */
const TIMES = [
  ["0001-01-01T00:00:00Z", 0],
  ["1969-07-20T20:17:40Z", 0],
  ["2200-01-01T00:00:00Z", 2 ** 32 - 1],
] as const;

for (const [created, seconds] of TIMES) {
  test(`an image that was made in ${created.slice(0, 4)} is imported`, async () => {
    const layout = scratchDirectory("time");
    writeImage(layout, { layers: [[file("a", "1")]], created, tag: "t" });
    const path = await denroot.import(`oci:${layout}:t`);
    assert.equal(readFileSync(path).readUInt32LE(8), seconds);
  });
}

testOneRuntime("an image that is not for the named architecture is refused", async (home) => {
  const layout = scratchDirectory("arch");
  writeImage(layout, { layers: [[file("a", "1")]], tag: "t" });
  for (const command of ["import", "inspect", "digest"]) {
    const { exitCode, stderr } = await home.run([command, "--arch", "s390x", `oci:${layout}:t`]);
    assert.equal(exitCode, 1, command);
    assert.match(stderr, /The image is for linux\/\w+, not for linux\/s390x\n/);
  }
});

testOneRuntime("a login page in place of a registry is named, and not shown", async (home) => {
  const body = "<!doctype html><title>Log in to the network</title><form>secret</form>";
  const headers = { "Content-Type": "text/html" };
  await using portal = await startFakeRegistry(() => ({ body, headers }));
  const env = { ENROOT_ALLOW_HTTP: "yes" };
  for (const command of ["import", "tags"]) {
    const uri = `docker://${portal.host}/team/app`;
    const { exitCode, stderr } = await home.run([command, uri], { env });
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /answered with a web page \(text\/html\), "Log in to the network"\n.*proxy, a VPN/,
    );
    assert.doesNotMatch(stderr, /<|secret/);
  }
});
