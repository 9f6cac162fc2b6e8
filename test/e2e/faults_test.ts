/** Faults during an import: denroot tries again or gives one clear error, and leaves nothing. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deno, Denroot, releasedDenroot } from "../helpers/denroot_command.ts";
import { blobPath, type Image, writeImage } from "../helpers/image_fixture.ts";
import { type Registry, startRegistry } from "../helpers/registry_server.ts";
import { type RunningProgram, runProgram, waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";
import { listImage } from "../helpers/tree_listing.ts";
import { startWireProxy, type WireFaults, type WireProxy } from "../helpers/wire_proxy.ts";

const released = releasedDenroot();
const layout = scratchDirectory("layout");
const layerBytes = 2_000_000;
const layers = ["one", "two", "three"];
let registry: Registry;
let image: Image;

before(async () => {
  registry = await startRegistry();
  image = writeImage(layout, {
    layers: layers.map((name) => [file(name, randomBytes(layerBytes))]),
  });
  registry.add(image, "app");
});

after(() => registry?.stop());

/** Gives `body` a home and a faulty connection to the registry; removes both afterwards. */
async function withFaults(
  faults: WireFaults,
  body: (denroot: Denroot, uri: string, proxy: WireProxy) => Promise<void>,
  runtime = released,
): Promise<void> {
  const denroot = new Denroot(runtime);
  const proxy = await startWireProxy(registry.port, faults);
  try {
    await body(denroot, `docker://${proxy.host}#app`, proxy);
  } finally {
    await proxy.stop();
    denroot.remove();
  }
}

async function assertWhole(output: string): Promise<void> {
  const tree = await listImage(output);
  for (const name of layers) assert.equal(tree.get(name)?.size, layerBytes, name);
}

function assertNothingLeft(denroot: Denroot): void {
  assert.deepEqual(denroot.leftovers(), []);
  assert.deepEqual(denroot.unfinishedBlobs(), []);
}

/** A process's children, and their children. */
function descendants(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").map(Number)
    ).filter((child) => child > 0);
    return [...children, ...children.flatMap(descendants)];
  } catch {
    return [];
  }
}

function mksquashfsOf(program: RunningProgram): number | undefined {
  return descendants(program.pid).find((pid) => {
    try {
      // Another mksquashfs only prints its version.
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words[0]!.endsWith("mksquashfs") && words.includes("-tar");
    } catch {
      return false;
    }
  });
}

function assertNoOrphans(pids: readonly number[]): Promise<void> {
  return waitUntil(`${pids.join(", ")} end`, () => pids.every((pid) => !isAlive(pid)), 5_000);
}

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

for (const runtime of [released, deno]) {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    test(`${signal} ends an import at once and leaves nothing (${runtime.name})`, async () => {
      await withFaults({ bytesPerSecond: 500_000 }, async (denroot, uri) => {
        const program = denroot.start(["import", "--output", "x.sqsh", uri]);
        await waitUntil("mksquashfs runs", () => mksquashfsOf(program) !== undefined);
        const children = descendants(program.pid);
        program.child.kill(signal);
        const result = await program.done;
        assert.equal(
          result.exitCode ?? (result.signal === signal ? code : -1),
          code,
          result.stderr,
        );
        await assertNoOrphans(children);
        assertNothingLeft(denroot);
      }, runtime);
    });
  }
}

for (const runtime of [released, deno]) {
  test(`after SIGKILL no program lives on and the next import cleans up (${runtime.name})`, async () => {
    await withFaults({ bytesPerSecond: 500_000 }, async (denroot, uri, proxy) => {
      const program = denroot.start(["import", "--output", "x.sqsh", uri]);
      await waitUntil("mksquashfs runs", () => mksquashfsOf(program) !== undefined);
      const children = descendants(program.pid);
      program.child.kill("SIGKILL");
      await program.done;
      await assertNoOrphans(children);
      assert.ok(!existsSync(join(denroot.work, "x.sqsh")), "a partial image has the final name");
      delete proxy.faults.bytesPerSecond;
      await denroot.succeed(["import", "--output", "x.sqsh", uri]);
      await assertWhole(join(denroot.work, "x.sqsh"));
      assert.deepEqual(denroot.leftovers(), [join(denroot.work, "x.sqsh")]);
      assert.deepEqual(denroot.unfinishedBlobs(), []);
    }, runtime);
  });
}

test("a killed mksquashfs is one clear error", async () => {
  await withFaults({ bytesPerSecond: 500_000 }, async (denroot, uri) => {
    const program = denroot.start(["import", "--output", "x.sqsh", uri]);
    await waitUntil("mksquashfs runs", () => mksquashfsOf(program) !== undefined);
    process.kill(mksquashfsOf(program)!, "SIGKILL");
    const result = await program.done;
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, /\[ERROR\].*mksquashfs.*(kill|signal)/i);
    assertNothingLeft(denroot);
  });
});

test("a registry that cuts each connection once is asked for the rest", async () => {
  await withFaults({ cutAfter: 700_000, times: 3 }, async (denroot, uri, proxy) => {
    await denroot.succeed(["import", "--output", "x.sqsh", uri], {
      env: { ENROOT_TRANSFER_RETRIES: "5" },
    });
    await assertWhole(join(denroot.work, "x.sqsh"));
    // denroot resumed the blobs: little more than the image's size was sent.
    assert.ok(proxy.bytes() < layers.length * layerBytes * 1.2, `${proxy.bytes()} bytes`);
  });
});

test("a registry that cuts every connection is one clear error after the retries", async () => {
  await withFaults({ cutAfter: 3_000 }, async (denroot, uri) => {
    const result = await denroot.run(["import", "--output", "x.sqsh", uri], {
      env: { ENROOT_TRANSFER_RETRIES: "1" },
    });
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, /\[ERROR\]/);
    assertNothingLeft(denroot);
  });
});

test("a bit turned on the wire is found and the blob fetched again, or an error", async () => {
  await withFaults({ flipAt: 900_000, times: 1 }, async (denroot, uri) => {
    const result = await denroot.run(["import", "--output", "x.sqsh", uri], {
      env: { ENROOT_TRANSFER_RETRIES: "3" },
    });
    if (result.exitCode === 0) await assertWhole(join(denroot.work, "x.sqsh"));
    else {
      assert.match(result.stderr, /\[ERROR\].*(layer|digest|sha256)/i);
      assertNothingLeft(denroot);
    }
    // The cache holds no damaged blob.
    await denroot.succeed(["import", "--force", "--output", "x.sqsh", uri]);
    await assertWhole(join(denroot.work, "x.sqsh"));
  });
});

test("a registry that goes silent is given up or asked again within the timeout", async () => {
  await withFaults({ stallAfter: 500_000, times: 1 }, async (denroot, uri) => {
    const started = Date.now();
    const result = await denroot.run(["import", "--output", "x.sqsh", uri], {
      env: {
        ENROOT_TRANSFER_TIMEOUT: "2",
        ENROOT_CONNECT_TIMEOUT: "2",
        ENROOT_TRANSFER_RETRIES: "2",
      },
    });
    assert.ok(Date.now() - started < 30_000, "it waited for too long");
    if (result.exitCode === 0) await assertWhole(join(denroot.work, "x.sqsh"));
    else assert.match(result.stderr, /\[ERROR\].*(time|silent|stall|seconds)/i);
  });
});

test("a registry that dies in mid-blob and comes back is asked for the rest", async () => {
  await withFaults({ bytesPerSecond: 3_000_000 }, async (denroot, uri, proxy) => {
    const program = denroot.start(["import", "--output", "x.sqsh", uri], {
      env: { ENROOT_TRANSFER_RETRIES: "8" },
    });
    await waitUntil("a blob flows", () => proxy.bytes() > 1_000_000);
    await registry.kill();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await registry.restart();
    delete proxy.faults.bytesPerSecond;
    const result = await program.done;
    assert.equal(result.exitCode, 0, result.stderr);
    await assertWhole(join(denroot.work, "x.sqsh"));
  });
});

for (
  const [title, spoil] of [
    ["truncated", (path: string) => truncateSync(path, 1000)],
    ["overwritten", (path: string) => {
      const bytes = readFileSync(path);
      bytes.fill(0x55, 1000, 2000);
      writeFileSync(path, bytes);
    }],
    ["emptied", (path: string) => truncateSync(path, 0)],
    // What a power failure leaves of a file whose bytes had not reached the disk.
    ["zero-filled from its middle on", (path: string) => {
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0, bytes.length >> 1));
    }],
    ["zero-filled", (path: string) => writeFileSync(path, readFileSync(path).fill(0))],
  ] as const
) {
  test(`a blob that was ${title} in the cache is thrown away and fetched again`, async () => {
    await withFaults({}, async (denroot, uri) => {
      await denroot.succeed(["import", "--output", "x.sqsh", uri]);
      for (const layer of image.layers.slice(0, 2)) spoil(blobPath(denroot.cache, layer.digest));
      await denroot.succeed(["import", "--force", "--output", "x.sqsh", uri]);
      await assertWhole(join(denroot.work, "x.sqsh"));
      for (const layer of image.layers) {
        assert.ok(readFileSync(blobPath(denroot.cache, layer.digest)).equals(layer.bytes));
      }
    });
  });
}

for (const which of ["output", "cache", "temporary"] as const) {
  test(`a full disk under the ${which} directory is one clear error that names the path`, async () => {
    await withFaults({}, async (denroot, uri) => {
      const small = join(denroot.home, "small-disk");
      mkdirSync(small);
      const mounted = await runProgram("mount", [
        "-t",
        "tmpfs",
        "-o",
        "size=3m",
        "tmpfs",
        small,
      ]).then(() => true, () => false);
      if (!mounted) return;
      try {
        const env = {
          ...(which === "cache" ? { ENROOT_CACHE_PATH: join(small, "cache") } : {}),
          ...(which === "temporary" ? { ENROOT_TEMP_PATH: small, TMPDIR: small } : {}),
        };
        const output = which === "output" ? join(small, "x.sqsh") : "x.sqsh";
        const result = await denroot.run(["import", "--output", output, uri], { env });
        if (which === "temporary" && result.exitCode === 0) return;
        assert.equal(result.exitCode, 1, result.stderr);
        assert.match(result.stderr, /\[ERROR\].*(room|space|full)/i);
        assert.ok(result.stderr.includes(small), result.stderr);
        assert.deepEqual(readdirSync(small).filter((name) => name !== "cache"), []);
        assertNothingLeft(denroot);
      } finally {
        await runProgram("umount", [small]);
      }
    });
  });
}

for (const runtime of [released, deno]) {
  test(`two imports at once share a cache and the download (${runtime.name})`, async () => {
    await withFaults({ bytesPerSecond: 4_000_000 }, async (denroot, uri, proxy) => {
      const outputs = ["x.sqsh", "y.sqsh"];
      const results = await Promise.all(
        outputs.map((output) => denroot.run(["import", "--output", output, uri])),
      );
      for (const [index, result] of results.entries()) {
        assert.equal(result.exitCode, 0, result.stderr);
        await assertWhole(join(denroot.work, outputs[index]!));
      }
      assert.deepEqual(denroot.unfinishedBlobs(), []);
      assert.ok(proxy.bytes() < layers.length * layerBytes * 1.9, `${proxy.bytes()} bytes`);
    }, runtime);
  });
}

test("an output that exists is an error without --force, and is replaced whole with it", async () => {
  await withFaults({}, async (denroot, uri) => {
    const output = join(denroot.work, "x.sqsh");
    writeFileSync(output, "precious");
    const result = await denroot.run(["import", "--output", output, uri]);
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, /exist/i);
    assert.equal(readFileSync(output, "utf8"), "precious");
    await denroot.succeed(["import", "--force", "--output", output, uri]);
    await assertWhole(output);
  });
});

test("a failed import with --force leaves the old output as it was", async () => {
  await withFaults({ cutAfter: 3_000 }, async (denroot, uri) => {
    const output = join(denroot.work, "x.sqsh");
    writeFileSync(output, "precious");
    const result = await denroot.run(["import", "--force", "--output", output, uri], {
      env: { ENROOT_TRANSFER_RETRIES: "1" },
    });
    assert.equal(result.exitCode, 1);
    assert.equal(readFileSync(output, "utf8"), "precious");
  });
});
