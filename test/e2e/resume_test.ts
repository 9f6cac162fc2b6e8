/** An import that was stopped is gone on with by the next one: only the rest crosses the network. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Denroot, testEachRuntime, testOneRuntime } from "../helpers/denroot_command.ts";
import {
  type Answer,
  type FakeRegistry,
  type ReceivedRequest,
  startFakeRegistry,
} from "../helpers/fake_registry.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { waitUntil } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { serveImages, type ServeOptions } from "../helpers/serve_images.ts";
import { file } from "../helpers/tar_fixture.ts";
import { listImage } from "../helpers/tree_listing.ts";

const layerBytes = 9_000_000;
const image = writeImage(scratchDirectory("layout"), {
  layers: [[file("big", randomBytes(layerBytes))]],
  tag: "t",
});
const layer = image.layers[0]!;

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  testEachRuntime(`what came before ${signal} is not fetched again`, async (denroot) => {
    await withRegistry({}, async (registry, server) => {
      await interrupt(denroot, registry, server, signal);
      const left = unfinishedIn(denroot).filter((name) => !name.endsWith(".lock"));
      assert.equal(left.length, 1);
      assert.match(left[0]!, signal === "SIGINT" ? /^[0-9a-f]{64}\.partial$/ : /^[0-9a-f]{64}@/);
      const { stderr } = await denroot.succeed(["import", "-o", "x.sqsh", uriOf(registry)]);
      assert.equal((await listImage(join(denroot.work, "x.sqsh"))).get("big")?.size, layerBytes);
      assert.match(stderr, /Layer 1\/1.* is resumed: \d+ % of it are here from an earlier run/);
      assert.deepEqual([unfinishedIn(denroot), denroot.leftovers().length], [[], 1]);
      // Each of the first connections had sent two megabytes of its part.
      assert.ok(server.asked < layer.size - 3_000_000, `${server.asked} of ${layer.size} bytes`);
    });
  });
}

testOneRuntime("a registry without ranges is asked for everything again", async (denroot) => {
  await withRegistry({ ignoresRanges: true }, async (registry, server) => {
    await interrupt(denroot, registry, server, "SIGINT");
    await denroot.succeed(["import", "-o", "x.sqsh", uriOf(registry)]);
    assert.equal((await listImage(join(denroot.work, "x.sqsh"))).get("big")?.size, layerBytes);
    assert.deepEqual(unfinishedIn(denroot), []);
  });
});

interface Server {
  /** Answers stop in the middle. */
  stalls: boolean;
  /** Bytes of the layer that were asked for since the last interruption. */
  asked: number;
}

async function withRegistry(
  options: ServeOptions,
  use: (registry: FakeRegistry, server: Server) => Promise<void>,
): Promise<void> {
  const server: Server = { stalls: true, asked: 0 };
  const change = (answer: Answer, { line }: ReceivedRequest): Answer => {
    if (!line.includes(layer.digest)) return answer;
    server.asked += (answer.body as Uint8Array).length;
    return server.stalls ? { ...answer, stallAfter: 2_000_000 } : answer;
  };
  await using registry = await startFakeRegistry(serveImages({ t: image }, { ...options, change }));
  await use(registry, server);
}

/** Stops an import when as much as the registry gives at first is here. */
async function interrupt(
  denroot: Denroot,
  registry: FakeRegistry,
  server: Server,
  signal: "SIGINT" | "SIGKILL",
): Promise<void> {
  const running = denroot.start(["import", "-o", "x.sqsh", uriOf(registry)]);
  await waitUntil("bytes were sent", () => registry.bytesWritten > 1_900_000);
  // The bytes have to arrive, and to be written down.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  running.child.kill(signal);
  await running.done;
  server.stalls = false;
  server.asked = 0;
}

function uriOf({ host }: FakeRegistry): string {
  return `docker://${host}#app:t`;
}

function unfinishedIn(denroot: Denroot): string[] {
  return readdirSync(join(denroot.cache, "ingest")).sort();
}
