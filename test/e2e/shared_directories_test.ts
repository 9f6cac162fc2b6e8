/** Directories that several users share: nobody loses work, and nobody has to trust another user. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bun, Denroot, type Runtime } from "../helpers/denroot_command.ts";
import { type FakeRegistry, startFakeRegistry } from "../helpers/fake_registry.ts";
import { blobPath, type Image, writeImage } from "../helpers/image_fixture.ts";
import { readableDenroot } from "../helpers/denroot_command.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { serveImages } from "../helpers/serve_images.ts";
import { file } from "../helpers/tar_fixture.ts";
import { listImage } from "../helpers/tree_listing.ts";

const GROUP = 7777;
const NEEDS_ROOT = process.getuid!() === 0 ? false : "needs root, to become other users";
const layerBytes = 300_000;
const images: Record<string, Image> = {};
/** The layer of the image `slow` is sent when this is resolved. */
let gate = Promise.withResolvers<void>();
let isAskedFor = false;
let registry: FakeRegistry;
let runtime: Runtime = bun;
const shared = scratchDirectory("shared");

before(async () => {
  chmodSync(shared, 0o755);
  runtime = readableDenroot(shared);
  for (const name of ["slow", "quick"]) {
    images[name] = writeImage(join(shared, "layout"), {
      layers: [[file(name, randomBytes(layerBytes))]],
      tag: name,
    });
  }
  registry = await startFakeRegistry(serveImages(images, {
    delay: (digest) => {
      if (digest !== images.slow!.layers[0]!.digest) return undefined;
      isAskedFor = true;
      return gate.promise;
    },
  }));
});

after(() => registry?.[Symbol.asyncDispose]());

function closeGate(): void {
  gate = Promise.withResolvers();
  isAskedFor = false;
}

/** Before the layer is asked for, a file of such a name shows only that the directory was tried out. */
function imagesInMaking(directory: string): string[] {
  return isAskedFor ? readdirSync(directory).filter((name) => name.startsWith(".denroot-")) : [];
}

/** A user of the group. `inside` is what the command runs in. */
class User extends Denroot {
  constructor(id: number, umask: string, inside: readonly string[] = []) {
    const become = ["setpriv", `--reuid=${id}`, `--regid=${id}`, `--groups=${GROUP}`];
    const shell = ["sh", "-c", `umask ${umask}; exec "$@"`, "sh"];
    super({
      name: `user ${id}`,
      command: [...inside, ...become, ...shell, ...runtime.command] as unknown as [string],
    });
    chmodSync(this.home, 0o755);
    for (const name of ["", ...readdirSync(this.home)]) chownSync(join(this.home, name), id, id);
  }
}

function sharedDirectory(mode: number): string {
  const directory = join(shared, `${mode.toString(8)}-${randomBytes(4).toString("hex")}`);
  mkdirSync(directory);
  chownSync(directory, 0, GROUP);
  chmodSync(directory, mode);
  return directory;
}

function uri(name: string): string {
  return `docker://${registry.host}#app:${name}`;
}

async function assertHolds(output: string, name: string): Promise<void> {
  assert.equal((await listImage(output)).get(name)?.size, layerBytes);
}

const HIDEPID = ["unshare", "--mount", "--propagation=private", "sh", "-c"];
const hidden = [...HIDEPID, 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh"];
const namespace = ["unshare", "--pid", "--fork", "--mount-proc"];
const namespaceOnly = ["unshare", "--pid", "--fork", "--kill-child"];
const hidings: readonly [title: string, first: string[], second: string[]][] = [
  ["another user's /proc hides it", hidden, hidden],
  ["it has a PID namespace of its own", namespace, []],
  ["its /proc is that of another PID namespace", namespaceOnly, []],
  ["the second user has a PID namespace", [], namespace],
  ["both have PID namespaces, and the same process ids", namespace, namespace],
];
for (const [title, first, second] of hidings) {
  test(`an image that is being written stays when ${title}`, { skip: NEEDS_ROOT }, async () => {
    const directory = sharedDirectory(0o2775);
    const users = [new User(4242, "022", first), new User(4243, "022", second)] as const;
    closeGate();
    try {
      const output = join(directory, "slow.sqsh");
      const running = users[0].start(["import", "--output", output, uri("slow")]);
      const unfinished = () => imagesInMaking(directory);
      await waitUntil("the image is being written", () => unfinished().length > 0);
      const names = unfinished();
      await users[1].succeed(["import", "--output", join(directory, "quick.sqsh"), uri("quick")]);
      assert.deepEqual(unfinished(), names);
      gate.resolve();
      const { exitCode, stderr } = await running.done;
      assert.equal(exitCode, 0, stderr);
      await assertHolds(output, "slow");
      await assertHolds(join(directory, "quick.sqsh"), "quick");
    } finally {
      gate.resolve();
      for (const user of users) user.remove();
    }
  });
}

for (const mode of [0o2775, 0o2770, 0o1777, 0o777]) {
  for (const umask of ["002", "022", "077"]) {
    const title = `users share a cache of mode ${mode.toString(8)} with umask ${umask}`;
    test(title, { skip: NEEDS_ROOT }, async () => {
      const cache = sharedDirectory(mode);
      await withUsers(umask, async (...users) => {
        const env = { ENROOT_CACHE_PATH: cache };
        await users[0].import(uri("quick"), { env });
        const before = blobsAsked();
        const { stderr } = await users[1].succeed(["import", "-o", "x.sqsh", uri("quick")], {
          env,
        });
        await assertHolds(join(users[1].work, "x.sqsh"), "quick");
        assert.equal(blobsAsked(), before);
        assert.doesNotMatch(stderr, /WARN/);
        const layer = statSync(blobPath(cache, images.quick!.layers[0]!.digest));
        assert.equal(layer.mode & 0o7777, 0o600 | (mode & 0o044));
        if ((mode & 0o002) === 0) assert.equal(layer.gid, GROUP);
      });
    });
  }
}

for (const mode of [0o2775, 0o1777]) {
  test(`nobody has to trust another user's blob, mode ${mode.toString(8)}`, {
    skip: NEEDS_ROOT,
  }, async () => {
    const cache = sharedDirectory(mode);
    await withUsers("002", async (...users) => {
      const env = { ENROOT_CACHE_PATH: cache };
      await users[0].import(uri("quick"), { env });
      const good = readFileSync(await users[0].import(uri("quick"), { env }));
      const evil = writeImage(join(users[0].home, "evil"), { layers: [[file("quick", "evil")]] });
      for (const { digest, size } of [images.quick!.layers[0]!, images.quick!.config]) {
        const planted = blobPath(cache, digest);
        const bytes = Buffer.alloc(size);
        evil.layers[0]!.bytes.copy(bytes);
        writeFileSync(planted, bytes);
        chownSync(planted, 4242, 4242);
      }
      const output = join(users[1].work, "x.sqsh");
      await users[1].succeed(["import", "--output", output, uri("quick")], { env });
      assert.ok(readFileSync(output).equals(good));
      assert.deepEqual(unfinishedIn(cache), []);
    });
  });
}

const WITHOUT_CACHE = /^\[WARN\] The cache .* cannot be used \(EACCES.*layers are not kept\. Set/m;
const ONLY_READ = /^\[WARN\] The cache .* cannot be written \(EACCES.*new ones are not kept$/m;

for (const closed of ["", "ingest", "blobs/sha256"]) {
  test(`a cache whose ${closed || "directory"} is closed to a user is not written to`, {
    skip: NEEDS_ROOT,
  }, async () => {
    const cache = sharedDirectory(0o2775);
    await withUsers("002", async (first, second) => {
      const env = { ENROOT_CACHE_PATH: cache };
      await first.import(uri("quick"), { env });
      chmodSync(join(cache, closed), 0o700);
      const before = registry.requests.length;
      const { stderr } = await second.succeed(["import", "-o", "x.sqsh", uri("quick")], { env });
      await assertHolds(join(second.work, "x.sqsh"), "quick");
      assert.match(stderr, closed === "" ? WITHOUT_CACHE : ONLY_READ);
      // What of it can be read is not fetched again.
      const blob = `/blobs/${images.quick!.layers[0]!.digest}`;
      const fetched = registry.requests.slice(before).some(({ line }) => line.includes(blob));
      assert.equal(fetched, closed !== "ingest");
      assert.equal(stderr.match(/WARN/g)?.length, 1);
      assert.deepEqual(readdirSync(second.work), ["x.sqsh"]);
      const { stdout } = await second.run(["doctor"], { env });
      const words = stdout.replace(/\s+/g, " ");
      assert.match(words, /warning ENROOT_CACHE_PATH [^ ]+: this user cannot write to/);
    });
  });
}

test("another user's lease that nobody can remove holds nobody up for long", {
  skip: NEEDS_ROOT,
}, async () => {
  const cache = sharedDirectory(0o1777);
  await withUsers("022", async (first, second) => {
    const env = { ENROOT_CACHE_PATH: cache };
    await first.import(uri("slow"), { env });
    const hex = images.quick!.layers[0]!.digest.slice("sha256:".length);
    const lease = join(cache, "ingest", `${hex}.lock`);
    const start = join(first.home, "killed");
    writeFileSync(lease, await deadMarkOf(first, start));
    chownSync(lease, 4242, 4242);
    await second.import(uri("quick"), { env });
    assert.ok(existsSync(lease));
  });
});

/** A mark that a process of this machine made and that is proven to be dead. */
async function deadMarkOf(user: Denroot, directory: string): Promise<string> {
  mkdirSync(directory);
  chmodSync(directory, 0o777);
  closeGate();
  const output = join(directory, "slow.sqsh");
  const env = { ENROOT_CACHE_PATH: join(directory, "cache") };
  const running = user.start(["import", "--output", output, uri("slow")], { env });
  const mark = () => imagesInMaking(directory)[0];
  await waitUntil("the image is being written", () => mark() !== undefined);
  running.child.kill("SIGKILL");
  await running.done;
  gate.resolve();
  return mark()!.slice(".denroot-".length, -".sqsh".length);
}

async function withUsers(
  umask: string,
  use: (first: Denroot, second: Denroot) => Promise<void>,
): Promise<void> {
  gate.resolve();
  const users = [new User(4242, umask), new User(4243, umask)] as const;
  try {
    await use(...users);
  } finally {
    for (const user of users) user.remove();
  }
}

function blobsAsked(): number {
  return registry.requests.filter(({ line }) => line.includes("/blobs/")).length;
}

function unfinishedIn(cache: string): string[] {
  return readdirSync(join(cache, "ingest"));
}
