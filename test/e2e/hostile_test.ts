/** Hostile input gives a clear error or a safe result, in bounded time and memory. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { useDenroot } from "../helpers/denroot_command.ts";
import {
  compress,
  digestOf,
  type Image,
  type ImageSpec,
  jsonBlob,
  writeBlob,
  writeImage,
  writeIndex,
} from "../helpers/image_fixture.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import {
  directory,
  file,
  link,
  paxRecords,
  symlink,
  tarArchive,
  tarHeader,
} from "../helpers/tar_fixture.ts";
import { listImage, readFromImage } from "../helpers/tree_listing.ts";

const denroot = useDenroot();
const layout = scratchDirectory("layout");
const outside = scratchDirectory("outside");
let registry: Registry;
let count = 0;

before(async () => {
  registry = await startRegistry();
});

after(() => registry?.stop());

function imageOf(spec: ImageSpec): Image {
  return writeImage(join(layout, `${++count}`), spec);
}

async function run(image: Image, env: Record<string, string> = {}) {
  const output = join(denroot.work, "hostile.sqsh");
  rmSync(output, { force: true });
  const uri = `oci:${image.directory}:${image.tag}`;
  const started = Date.now();
  const result = await denroot.run(["import", "--output", output, uri], {
    env,
    timeoutMs: 30_000,
  });
  const seconds = (Date.now() - started) / 1000;
  assert.ok(seconds < 60, `it took ${seconds} s`);
  assertNoEscapes(result.stdout + result.stderr);
  assert.ok(!/\n +at /.test(result.stderr), `a stack reached the user: ${result.stderr}`);
  assert.equal(existsSync(output), result.exitCode === 0);
  return { ...result, output };
}

async function assertRefused(image: Image, message: RegExp, env = {}): Promise<void> {
  const result = await run(image, env);
  assert.equal(result.exitCode, 1, result.stderr);
  assert.match(result.stderr, message);
}

function assertNoEscapes(text: string): void {
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text), JSON.stringify(text));
}

test("absolute and climbing links stay text and lead nowhere while importing", async () => {
  const victim = join(outside, "victim");
  const image = imageOf({
    layers: [
      [symlink("etc", outside), symlink("up", "../../../../.."), symlink("self", "self")],
      [file("up/tmp/written", "1"), file("self/x", "2")],
      [link("stolen", "up/etc/passwd")],
    ],
  });
  const result = await run(image);
  assert.ok(!existsSync(victim), "HOST PATH WAS CHANGED! THIS IS A PATH ESCAPE!");
  assert.ok(!existsSync(join(outside, "rc")), "HOST PATH WAS CHANGED! THIS IS A PATH ESCAPE!");
  assert.equal(result.exitCode, 1);
});

test("an etc that leads outside does not make denroot write there", async () => {
  for (const target of [outside, "../../../../../../../../tmp", "//etc", "etc/"]) {
    const result = await run(imageOf({ layers: [[symlink("etc", target)]] }));
    assert.ok(!existsSync(join(outside, "rc")), "HOST PATH WAS CHANGED! THIS IS A PATH ESCAPE!");
    if (result.exitCode === 0) {
      const tree = await listImage(result.output);
      assert.ok([...tree.keys()].every((path) => !path.split("/").includes("..")));
    }
  }
});

test("a PAX header of 200 MB is refused before it is read", async () => {
  const tar = Buffer.concat([
    tarHeader({ path: "x", flag: "x", sizeField: 200 * 2 ** 20 }, 0),
    Buffer.alloc(200 * 2 ** 20, "a"),
  ]);
  await assertRefused(imageOf({ layers: [{ tar, compression: "zstd" }] }), /layer 1/i);
});

test("a long name of 100 MB is refused", async () => {
  const tar = Buffer.concat([
    tarHeader({ path: "././@LongLink", flag: "L", sizeField: 100 * 2 ** 20, magic: "gnu" }, 0),
    Buffer.alloc(100 * 2 ** 20, "a"),
  ]);
  await assertRefused(imageOf({ layers: [{ tar, compression: "zstd" }] }), /layer 1/i);
});

test("PAX records that lie about their length are refused", async () => {
  const lies = ["999 path=x\n", "3 path=x\n", "path=x\n", "-1 path=x\n", "10 path=x", "0 a=b\n"];
  for (const lie of lies) {
    const tar = tarArchive([file("h", lie, { flag: "x" }), file("a", "1")]);
    await assertRefused(imageOf({ layers: [{ tar }] }), /layer 1/i);
  }
});

test("PAX records with huge and odd numbers are refused", async () => {
  const odd = ["99999999999999999999999", "-1", "1e9", "0x10", "NaN", "8589934592.5"];
  for (const size of odd) {
    const records = paxRecords([["size", size]]);
    const tar = tarArchive([file("h", records, { flag: "x" }), file("a", "1")]);
    const result = await run(imageOf({ layers: [{ tar }] }));
    assert.equal(result.exitCode, 1, `size=${size}: ${result.stderr}`);
  }
});

test("a path of a megabyte and a million directories in each other are refused", async () => {
  for (const path of ["a".repeat(2 ** 20 - 100), "a/".repeat(300_000)]) {
    await assertRefused(imageOf({ layers: [[file(path, "1")]] }), /layer 1/i);
  }
});

test("a decompression bomb ends at the limit that is set", async () => {
  const zeros = file("zeros", Buffer.alloc(64 * 2 ** 20));
  for (const compression of ["gzip", "zstd"] as const) {
    await assertRefused(
      imageOf({ layers: [{ tar: [zeros], compression }] }),
      /DENROOT_MAX_IMAGE_BYTES|more than/i,
      { DENROOT_MAX_IMAGE_BYTES: "10M" },
    );
  }
});

test("a sparse file that claims more than the limit is refused", async () => {
  const sparse = { format: "1.0", size: 2 ** 40, chunks: [[0, "x"]] } as const;
  await assertRefused(
    imageOf({ layers: [[file("huge", "", { sparse })]] }),
    /DENROOT_MAX_IMAGE_BYTES|more than|limit/i,
    { DENROOT_MAX_IMAGE_BYTES: "1G" },
  );
});

test("thousands of layers are refused or imported, not crashed on", async () => {
  const tar = tarArchive([file("a", "1")]);
  const image = imageOf({ layers: Array.from({ length: 5000 }, () => ({ tar })) });
  const result = await run(image);
  if (result.exitCode === 0) assert.equal((await listImage(result.output)).get("a")?.size, 1);
  else assert.match(result.stderr, /layers/i);
});

test("a manifest of 100 MB is refused", async () => {
  const image = imageOf({ layers: [[file("a", "1")]] });
  const manifest = JSON.parse(image.manifest.bytes.toString());
  const huge = jsonBlob(image.manifest.mediaType, {
    ...manifest,
    annotations: { padding: "x".repeat(100 * 2 ** 20) },
  });
  registry.add(image, "huge");
  registry.addManifest(huge, "huge", "latest");
  const result = await denroot.run(["import", registry.uri("huge")]);
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /manifest|large|size|bytes/i);
});

test("an index inside an index inside an index ends at a depth, a loop too", async () => {
  const image = imageOf({ layers: [[file("a", "1")]], listed: false });
  let blob = image.manifest;
  for (let depth = 0; depth < 50; depth++) {
    blob = writeIndex(image.directory, [{ blob, platform: image.platform }], {
      listed: depth === 49,
    });
  }
  await assertRefused(image, /index|depth|deep|nest/i);
});

test("digests that are paths never reach a path", async () => {
  const image = imageOf({ layers: [[file("a", "1")]], listed: false });
  const manifest = JSON.parse(image.manifest.bytes.toString());
  const bad = [
    "sha256:../../../../etc/passwd",
    "../x",
    "sha256:",
    "sha256:ABC",
    "md5:abc",
    "a/b:c",
  ];
  for (const digest of bad) {
    const changed = jsonBlob(image.manifest.mediaType, {
      ...manifest,
      layers: [{ ...manifest.layers[0], digest }],
    });
    writeBlob(image.directory, changed);
    writeIndex(image.directory, [{ blob: changed, platform: image.platform }]);
    await assertRefused(image, /digest/i);
  }
});

test("tags and names that are paths are refused", async () => {
  const bad = ["docker://127.0.0.1:1#a/../b", "docker://127.0.0.1:1#a:../../x", "docker://h/../x"];
  for (const uri of bad) {
    const result = await denroot.run(["import", uri]);
    assert.notEqual(result.exitCode, 0);
    assert.match(result.stderr, /\[ERROR\]/);
  }
});

test("control characters in names, labels and media types reach neither screen nor script", async () => {
  const escape = "\u001b]0;owned\u0007\u001b[2J";
  const image = imageOf({
    layers: [[directory("etc"), file(`evil${escape}`, "1"), file("x\n[INFO] all is well", "2")]],
    config: {
      Labels: { [`key${escape}\nrm -rf /`]: `value${escape}\r\nrm -rf /` },
      Env: [`A=${escape}`, "B=1\nC=2"],
      WorkingDir: `/work"; touch /tmp/denroot-owned; "${escape}`,
      Volumes: { [`/vol${escape}\n/etc /etc none bind`]: {} },
      Entrypoint: ["/bin/sh", "-c", `echo '${escape}'`],
    },
  });
  const result = await run(image);
  if (result.exitCode !== 0) return;
  const rc = await readFromImage(result.output, "etc/rc");
  for (const line of rc.split("\n")) assert.ok(!/^\s*rm -rf/.test(line), line);
  const fstab = await readFromImage(result.output, "etc/fstab");
  assert.ok(!/^\/etc /m.test(fstab), fstab);
});

test("control characters in an error's name are shown harmlessly", async () => {
  const escape = "\u001b[31mred\u0007\u009b2J";
  for (const layer of [[link("a", `no${escape}`)], [file(`../${escape}`, "1")]]) {
    await assertRefused(imageOf({ layers: [layer] }), /layer 1/i);
  }
});

test("a config of the wrong shape is one clear error", async () => {
  const image = imageOf({ layers: [[file("a", "1")]], listed: false });
  const manifest = JSON.parse(image.manifest.bytes.toString());
  const { rootfs } = JSON.parse(image.config.bytes.toString());
  const shapes: unknown[] = [
    [],
    { rootfs: { type: "layers", diff_ids: [] } },
    { rootfs: { type: "layers", diff_ids: "x" } },
    { rootfs, config: { Env: "A=b" } },
    { rootfs, config: { Entrypoint: [{ a: 1 }] } },
    { rootfs, config: { Labels: ["x"] } },
  ];
  for (const shape of shapes) {
    const config = jsonBlob(image.config.mediaType, shape);
    const { mediaType, digest, size } = config;
    const changed = jsonBlob(image.manifest.mediaType, {
      ...manifest,
      config: { mediaType, digest, size },
    });
    for (const blob of [config, changed]) writeBlob(image.directory, blob);
    writeIndex(image.directory, [{ blob: changed, platform: image.platform }]);
    await assertRefused(image, /config/i);
  }
});

test("a zstd frame that asks for a window of 2 GiB is refused or read in bounds", async () => {
  // Magic, descriptor without a single segment, window descriptor for 2 GiB, one raw block.
  const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]);
  const sound = compress(tarArchive([file("a", "1")]), "zstd");
  const stored = Buffer.concat([frame, sound]);
  const tar = tarArchive([file("a", "1")]);
  const result = await run(imageOf({ layers: [{ tar, compression: "zstd", stored }] }));
  if (result.exitCode !== 0) assert.match(result.stderr, /layer 1/i);
});

test("what was on the machine before is there unchanged", () => {
  assert.ok(!existsSync("/tmp/denroot-owned"), "A COMMAND OF THE IMAGE WAS RUN!");
  assert.match(readFileSync("/etc/passwd", "utf8"), /^root:/m);
  assert.equal(digestOf(Buffer.alloc(0)).length, 71);
});
