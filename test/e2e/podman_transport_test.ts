/** `podman://` with a real podman of root and of an ordinary user, by its service and its program. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deadMark } from "../helpers/dead_mark.ts";
import {
  Denroot,
  readableDenroot,
  testEachRuntime,
  testOneRuntime,
  useDenroot,
} from "../helpers/denroot_command.ts";
import { type Image, writeImage } from "../helpers/image_fixture.ts";
import { assertSameTree } from "../helpers/layer_case.ts";
import { PodmanUser } from "../helpers/podman_user.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { directory, file, link, opaque, whiteout } from "../helpers/tar_fixture.ts";
import { listImage, readFromImage, type Tree } from "../helpers/tree_listing.ts";

const SOURCE_DATE_EPOCH = "1700000000";
const NAME = "localhost/n/app:v1";
/** A short name that only podman can resolve. */
const SHORT = "n/app:v1";

const users: PodmanUser[] = [];
// Hooks run in the order in which they are set: this one runs before directories are removed.
after(async () => {
  for (const user of users) await user.stop();
});
const scratch = scratchDirectory("podman");
const oracle = useDenroot();
let image: Image;
let expected: Tree;

const layers = [
  [
    directory("usr"),
    directory("usr/d", { uid: 1000, gid: 1000 }),
    file("usr/d/old", "1"),
    file("usr/secret", "2", { uid: 1000, mode: 0o600 }),
    // podman needs some time for so many bytes.
    file("usr/a", randomBytes(12_000_000).toString("latin1")),
    link("usr/b", "usr/a"),
  ],
  [whiteout("usr/a"), directory("usr/d"), opaque("usr/d"), file("usr/d/new", "2")],
  [link("usr/c", "usr/b"), file("motd", "hello\n")],
];

before(async () => {
  image = writeImage(join(scratch, "layout"), { layers });
  expected = await listImage(
    await oracle.import(`oci:${image.directory}:latest`, { env: { SOURCE_DATE_EPOCH } }),
  );
  for (const name of ["root", "nobody"] as const) {
    const user = new PodmanUser(scratch, name);
    users.push(user);
    await user.load(image, NAME);
  }
});

testOneRuntime(
  "root's podman: its service and its program give the same bytes",
  async (denroot) => {
    await assertEveryWay(denroot, users[0]!);
  },
);

test("an ordinary user's podman: its service and its program give the same bytes", async () => {
  const user = users[1]!;
  const denroot = new Denroot(user.runtime(readableDenroot(scratch)));
  try {
    user.adopt(denroot.home);
    await assertEveryWay(denroot, user);
  } finally {
    denroot.remove();
  }
});

async function assertEveryWay(denroot: Denroot, user: PodmanUser): Promise<void> {
  const ways: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "its service": user.environment,
    "a named service": { CONTAINER_HOST: `unix://${user.socket}` },
  };
  await user.startService();
  const bytes: Buffer[] = [];
  for (const [way, env] of Object.entries(ways)) bytes.push(await importBy(denroot, way, env));
  await user.killService();
  assert.ok(existsSync(user.socket), "a dead socket is in the way");
  bytes.push(await importBy(denroot, "the program", user.environment));
  for (const one of bytes) assert.ok(one.equals(bytes[0]!));
}

/** Imports into a cache of its own; gives the image's bytes. */
async function importBy(
  denroot: Denroot,
  way: string,
  env: Readonly<Record<string, string>>,
): Promise<Buffer> {
  const output = join(denroot.work, `${way}.sqsh`);
  const { stderr } = await denroot.succeed(["import", "-o", output, `podman://${SHORT}`], {
    env: { ...env, SOURCE_DATE_EPOCH, ENROOT_CACHE_PATH: join(denroot.cache, way) },
  });
  const from = way === "the program" ? "the program podman" : "podman at unix://";
  assert.ok(stderr.includes(`Reading the image from ${from}`), stderr);
  assertSameTree(await listImage(output), expected, { without: [".enroot"] });
  assert.equal(await readFromImage(output, ".enroot/source"), `uri=podman://${SHORT}\n`);
  assert.deepEqual(readdirSync(denroot.temp), []);
  return readFileSync(output);
}

testOneRuntime("an image or a podman that is not there", async (denroot) => {
  const user = users[0]!;
  const fails = async (env: Readonly<Record<string, string>>, error: RegExp) => {
    const result = await denroot.run(["digest", "podman://none:1"], { env });
    assert.match(result.stderr, error);
    assert.equal(result.exitCode, 1);
  };
  await fails(user.environment, /no image "none:1": podman says: .*image not known\n.*podman pull/);
  await user.startService();
  await fails(
    user.environment,
    /no image "none:1": The engine at unix:.* 404: .*image not known\n/,
  );
  await user.killService();
  const nowhere = { XDG_RUNTIME_DIR: "/nowhere", PATH: "/nowhere" };
  await fails(
    nowhere,
    /No podman service answers at unix:\/\/\/nowhere\/.*; the program podman was not found\n/,
  );
});

testEachRuntime("an interrupted import leaves nothing of podman's either", async (denroot) => {
  const user = users[0]!;
  // A killed run could not remove it.
  mkdirSync(join(denroot.temp, `denroot-save@${deadMark()}`));
  const running = denroot.start(["import", `podman://${SHORT}`], { env: user.environment });
  const isSaving = () => readdirSync(denroot.temp, { recursive: true }).some(isPipe);
  await waitUntil("podman saves", isSaving);
  running.child.kill("SIGINT");
  const result = await running.done;
  assert.equal(result.exitCode, 130, result.stderr);
  assert.deepEqual(denroot.leftovers(), []);
  assert.deepEqual(denroot.unfinishedBlobs(), []);
  assert.deepEqual(processesWith(image.config.digest.slice("sha256:".length)), []);
});

/** podman has this pipe while it writes to its standard output. */
function isPipe(path: string | Buffer): boolean {
  return String(path).endsWith("/saveio");
}

function processesWith(word: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      return line.split("\0").includes(word) ? [line] : [];
    } catch {
      return [];
    }
  });
}
