/** The command share: what it refuses, and what it prints about a share. */

import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { useDenroot } from "../helpers/denroot_command.ts";
import { test } from "node:test";

const denroot = useDenroot();
const share = join(denroot.home, "share");
const env = { DENROOT_SHARE_PATH: share };
const KEY = `sha256-${"a".repeat(64)}-0123456789ab`;

const refused: readonly [args: readonly string[], message: RegExp][] = [
  [[], /missing required argument 'ACTION'/i],
  [["give"], /Allowed choices are get, release, list, status, gc/],
  [["get"], /share get needs the URI of an image/],
  [["list", "docker://image"], /share list takes no URI/],
  [["get", "docker://image", "--dry-run"], /share get takes no --dry-run/],
  [["list", "--max-size", "1"], /share list takes no --max-size/],
  [["gc", "--max-size", "much"], /Write a size below 8192T, such as 500M or 1.5G/],
  [["get", "docker://image", "--step", "a/b"], /A step cannot have the name/],
];
for (const [args, message] of refused) {
  test(`share ${args.join(" ")} is refused`, async () => {
    const { exitCode, stderr } = await denroot.run(["share", ...args], { env });
    assert.equal(exitCode, 2);
    assert.match(stderr, message);
  });
}

test("without a share, list says which setting is missing", async () => {
  const { exitCode, stderr } = await denroot.run(["share", "list"]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /DENROOT_SHARE_PATH is not set/);
});

test("list, status and gc show what there is, for people and for programs", async () => {
  fs.mkdirSync(join(share, "images"), { recursive: true });
  const image = join(share, "images", `${KEY}.sqsh`);
  fs.writeFileSync(image, "x".repeat(1000));
  const old = new Date("2025-01-02T03:04:05Z");
  fs.utimesSync(image, old, old);
  const print = async (...args: readonly string[]) =>
    (await denroot.succeed(["share", ...args], { env })).stdout;

  assert.match(await print("list"), /^aaaaaaaaaaaa +1000 B {2}own {3}used 2025-01-02 03:04 {2}\//);
  const { images } = JSON.parse(await print("list", "--json"));
  assert.deepEqual(images, [{
    digest: `sha256:${"a".repeat(64)}`,
    path: image,
    bytes: 1000,
    used: "2025-01-02T03:04:05.000Z",
    place: "own",
  }]);
  const metrics = await print("status", "--openmetrics");
  assert.match(metrics, /^denroot_share_images 1$/m);
  assert.match(metrics, /^denroot_share_images_bytes 1000$/m);
  assert.match(metrics, /\n# EOF\n$/);
  assert.ok(metrics.split("\n").every((line) => /^(# .+|denroot_\w+ \d+|)$/.test(line)));
  assert.match(await print("gc", "--max-age", "1d", "--dry-run"), /Would remove 1 \(1000 B\)/);
  assert.match(await print("gc", "--max-age", "1d"), /Removed 1 \(1000 B\); kept none/);
  assert.match(await print("status"), /Trash {3}1 \(1000 B\)/);
});
