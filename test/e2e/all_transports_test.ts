/**
 * One image, brought by real producers to every place that denroot reads, becomes the same enroot
 * image, byte for byte.
 *
 * Images record their URI in `/.enroot/source` and `/etc/rc`; all other bytes must be the same. All
 * URIs here have one length and mksquashfs does not compress, so that the URIs move no other bytes.
 * The test masks the URI, which occurs twice, and compares everything else.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { type Denroot, testOneRuntime, useDenroot } from "../helpers/denroot_command.ts";
import { type DockerDaemon, startDockerDaemon } from "../helpers/docker_daemon.ts";
import { imagePlaces, pathOf, type Place } from "../helpers/image_places.ts";
import { PodmanUser } from "../helpers/podman_user.ts";
import { randomStack, sideBySide } from "../helpers/random_stack.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { StorageFixture, unmountBelow } from "../helpers/storage_fixture.ts";
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
import { listImage } from "../helpers/tree_listing.ts";

const env = {
  SOURCE_DATE_EPOCH: "1700000000",
  ENROOT_SQUASH_OPTIONS: "-comp gzip -noI -noD -noF -noX",
};
/** The length of every URI here; tags, file names and path components stay below their limits. */
const URI_LENGTH = 180;
const seed = Number(process.env.DENROOT_TEST_SEED ?? 20_261_121);

const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
const deep = Array.from({ length: 12 }, (_, depth) => `level-${depth}-${"x".repeat(20)}`).join("/");

/** Base first; ostree takes only names in UTF-8. */
const layers: readonly (readonly TarSpec[])[] = [
  [
    directory("bin"),
    file("bin/tool", "a tool".repeat(500), { mode: 0o4755 }),
    link("bin/alias", "bin/tool", { mode: 0o4755 }),
    file("bin/ping", "p", {
      xattrs: { "security.capability": capability, "user.note": "kept" },
    }),
    symlink("bin/link", "tool"),
    symlink("absolute", "/bin/tool"),
    symlink("dangling", `../${"y".repeat(150)}`),
    directory("etc"),
    file("etc/old", "goes"),
    file("etc/kept", "stays", { uid: 1000, gid: 1000, mode: 0o600 }),
    file("etc/first", "shared by several names"),
    directory("opaque", { mode: 0o1777 }),
    file("opaque/hidden", "goes"),
    directory("opaque/below"),
    file("opaque/below/hidden", "goes"),
    directory("gone"),
    file("gone/below", "goes"),
    directory("turns"),
    file("turns/file", "goes"),
    file("becomes-directory", "goes"),
    file("näme", "named in UTF-8"),
    file(`long-${"x".repeat(200)}`, "a long name"),
    file("empty", ""),
    file("large", Buffer.alloc(3_000_001, "large ")),
  ],
  [
    whiteout("etc/old"),
    file("etc/new", "new"),
    // overlayfs writes this when a file of a lower layer gets another name.
    file("etc/first", "shared by several names"),
    link("etc/second", "etc/first"),
    directory("opaque", { mode: 0o750 }),
    opaque("opaque"),
    file("opaque/shown", "shown"),
    whiteout("gone"),
    whiteout("turns"),
    symlink("turns", "etc"),
    directory("becomes-directory", { mode: 0o2775 }),
    ...deep.split("/").map((_, depth, all) => directory(all.slice(0, depth + 1).join("/"))),
    file(`${deep}/file`, "deep"),
  ],
  [
    file("bin/tool", "another tool", { mode: 0o755 }),
    directory("gone"),
    file("gone/anew", "made anew"),
    directory("secret", { mode: 0o700, uid: 1000, gid: 1000 }),
    file("secret/key", "a key", { mode: 0o400, uid: 1000, gid: 1000 }),
    file("secret/mute", "nobody's", { mode: 0o000 }),
  ],
].map((layer) => layer.map((spec, at) => ({ mtime: 1_600_000_000 + at, ...spec })));

const config = {
  Env: ["PATH=/bin", "A=b c"],
  Entrypoint: ["/bin/tool", "--flag"],
  Cmd: ["a word"],
  WorkingDir: "/etc",
  Volumes: { "/data": {} },
  // Sorted, as Go sorts maps: some producers write the configuration again.
  Labels: { "org.example.a": "1", "org.example.b": "2" },
};

/** Another layer that only some stores take: links to files of lower layers, and a pipe. */
const links: readonly TarSpec[] = [
  link("etc/third", "etc/second"),
  link("bin/large", "large"),
  node("pipe", "6"),
];

const apart = new StorageFixture({ config, layers });
const linked = new StorageFixture({ config, layers: [...layers, links] });
const random = new StorageFixture({
  config,
  layers: sideBySide(fc.sample(randomStack, { seed, numRuns: 30 })),
});

const users: PodmanUser[] = [];
// Hooks run in the order in which they are set: this one runs before directories are removed.
after(async () => {
  for (const user of users) await user.stop();
  await unmountBelow(scratch);
});
let registry: Registry;
let docker: DockerDaemon;
const scratch = scratchDirectory("places");
const places = imagePlaces(scratch, {
  registry: () => registry,
  docker: () => docker,
  podman: () => users[0]!,
});
const oracle = useDenroot();
/** The images that imports from the registry give. */
const expected = new Map<StorageFixture, Buffer>();

before(async () => {
  registry = await startRegistry();
  docker = await startDockerDaemon();
  users.push(new PodmanUser(scratch, "root"));
  for (const image of [apart, random, linked]) {
    expected.set(image, await bringAndImport(oracle, places["a registry"]!, image));
  }
  const tree = await listImage(join(oracle.work, "image-3.sqsh"));
  assert.equal(tree.get("etc/third")?.group, "etc/first");
  assert.equal(tree.get(`${deep}/file`)?.size, 4);
  assert.equal(tree.get("bin/ping")?.xattrs?.["user.note"], "6b657074");
  assert.deepEqual([tree.has("opaque/hidden"), tree.has("gone/below")], [false, false]);
});
after(async () => {
  await registry?.stop();
  await docker?.stop();
});

for (const [name, place] of Object.entries(places)) {
  const image = place.layersApart ? apart : linked;
  let brought: Promise<unknown> | undefined;
  testOneRuntime(`${name}: the import gives the same image as the registry`, async (denroot) => {
    await (brought ??= place.bring(image, uriIn(place)));
    assertSame(await importFrom(denroot, place), expected.get(image)!);
    const shown = JSON.parse(await inspect(denroot, place));
    assert.deepEqual(shown.Config.Entrypoint, config.Entrypoint);
    assert.equal(shown.Layers.length, image.image.layers.length);
    assert.equal(shown.DownloadBytes, 0);
  });
}

const WITH_RANDOM: readonly string[] = [
  "oci with an index inside an index",
  "oci-archive",
  "oci-archive, zstd",
  "docker-archive",
  "docker-archive, gzip",
  "dir",
];

testOneRuntime(
  `an image of random layers (seed ${seed}) is the same everywhere`,
  async (denroot) => {
    for (const name of WITH_RANDOM) {
      rmSync(pathOf(uriIn(places[name]!)), { recursive: true, force: true });
      assertSame(await bringAndImport(denroot, places[name]!, random), expected.get(random)!, name);
    }
  },
);

async function bringAndImport(
  denroot: Denroot,
  place: Place,
  image: StorageFixture,
): Promise<Buffer> {
  await place.bring(image, uriIn(place));
  return await importFrom(denroot, place);
}

/** Imports into an empty cache; gives the image without its provenance. */
async function importFrom(denroot: Denroot, place: Place): Promise<Buffer> {
  const uri = uriIn(place);
  rmSync(denroot.cache, { recursive: true });
  const output = await denroot.import(typed(place), { env: { ...env, ...place.env?.() } });
  return withoutProvenance(readFileSync(output), uri);
}

async function inspect(denroot: Denroot, place: Place): Promise<string> {
  const options = { env: { ...place.env?.() } };
  return (await denroot.succeed(["inspect", "--json", typed(place)], options)).stdout;
}

function typed(place: Place): string {
  return place.byPath ? pathOf(uriIn(place)) : uriIn(place);
}

function uriIn({ uri }: Place): string {
  return uri("x".repeat(URI_LENGTH - uri("").length));
}

/** The image with the URI masked, which occurs twice. */
function withoutProvenance(image: Buffer, uri: string): Buffer {
  let count = 0;
  for (let at = image.indexOf(uri); at >= 0; at = image.indexOf(uri, at)) {
    image.fill("U", at, at + uri.length);
    count++;
  }
  assert.equal(count, 2, `${uri} stands ${count} times in the image`);
  return image;
}

function assertSame(actual: Buffer, expected: Buffer, place = "the image"): void {
  if (actual.equals(expected)) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  const sizes = `${actual.length} bytes, ${expected.length} expected`;
  assert.fail(`${place} differs at byte ${at} (${sizes})`);
}
