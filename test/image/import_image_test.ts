/** Tests what an import does around the packing: it checks, fetches in order, and tries again. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Settings } from "../../lib/config/settings.ts";
import { importImage, type ImportOptions } from "../../lib/image/import_image.ts";
import { type Answer, type Respond, startFakeRegistry } from "../helpers/fake_registry.ts";
import {
  type Blob,
  blobPath,
  digestOf,
  type Image,
  jsonBlob,
  writeImage,
} from "../helpers/image_fixture.ts";
import { runProgram } from "../helpers/run_program.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { file } from "../helpers/tar_fixture.ts";
import { mksquashfs, unsquashfs } from "../squashfs/packing.ts";
import { makeSettings } from "../transport/registry/registry_fixture.ts";

const scratch = scratchDirectory("import");
const TIME = Date.UTC(2001, 1, 3) / 1000;
const image = writeImage(join(scratch, "layout"), {
  layers: [[file("base", "1", { mtime: TIME })], [file("top", "2", { mtime: TIME })]],
});
let homes = 0;

interface Home {
  readonly cache: string;
  readonly work: string;
  readonly output: string;
  readonly log: string[];
  run(uri: string, settings?: Partial<Settings>, options?: ImportOptions): Promise<void>;
}

/** A user's directories, and an import in them. */
function makeHome(): Home {
  const home = join(scratch, `home-${++homes}`);
  const [cache, work] = [join(home, "cache"), join(home, "work")];
  mkdirSync(work, { recursive: true });
  const output = join(work, "image.sqsh");
  const log: string[] = [];
  return {
    cache,
    work,
    output,
    log,
    async run(uri, settings = {}, options = {}) {
      await importImage(uri, {
        output,
        settings: makeSettings({
          cachePath: cache,
          mksquashfs,
          squashOptions: "-comp gzip",
          ...settings,
        }),
        onProgress: (event) =>
          void (event.type === "log" && log.push(`${event.level} ${event.message}`)),
        ...options,
      });
    },
  };
}

/** Serves an image, with other answers for some of its blobs. */
function serving(
  { manifest, config, layers }: Pick<Image, "manifest" | "config" | "layers">,
  instead: (blob: Blob, times: number) => Answer | undefined = () => undefined,
): Respond {
  const asked = new Map<Blob, number>();
  return ({ line }) => {
    if (line.includes("/manifests/")) {
      return { headers: { "Content-Type": manifest.mediaType }, body: manifest.bytes };
    }
    const blob = [config, ...layers].find(({ digest }) => line.endsWith(digest));
    if (blob === undefined) return { status: 404 };
    const times = (asked.get(blob) ?? 0) + 1;
    asked.set(blob, times);
    return instead(blob, times) ?? { body: blob.bytes };
  };
}

const spoilt = ({ bytes }: Blob) => ({
  body: bytes.map((byte, at) => at === 20 ? byte ^ 1 : byte),
});

function blobRequests(requests: readonly { readonly line: string }[]): string[] {
  return requests.flatMap(({ line }) => /\/blobs\/(.*)$/.exec(line)?.[1] ?? []);
}

/** The times of the image itself and of its files, as unsquashfs shows them. */
async function timesIn(output: string): Promise<{ own: string; files: ReadonlySet<string> }> {
  const env = { ...process.env, TZ: "UTC" };
  const { stdout: facts } = await runProgram(unsquashfs, ["-stat", output], { env });
  const { stdout: list } = await runProgram(unsquashfs, ["-lln", output], { env });
  const times = [...list.matchAll(/^-\S+ +\S+ +\d+ (\S+) /gm)].map((match) => match[1]!);
  return { own: /time (.*)$/m.exec(facts)![1]!, files: new Set(times) };
}

test("the configuration is fetched first, and then the layers from the top", async () => {
  await using registry = await startFakeRegistry(serving(image));
  await makeHome().run(`docker://${registry.host}#app`, { maxConnections: 1 });
  const [base, top] = image.layers;
  assert.deepEqual(
    blobRequests(registry.requests),
    [image.config, top!, base!].map(({ digest }) => digest),
  );
});

test("damaged bytes of a transfer are fetched again, with a warning", async () => {
  const [base] = image.layers;
  await using registry = await startFakeRegistry(
    serving(image, (blob, times) => blob === base && times < 3 ? spoilt(blob) : undefined),
  );
  const home = makeHome();
  await home.run(`docker://${registry.host}#app`);
  assert.equal(home.log.filter((line) => /^warn .*; fetching it again$/.test(line)).length, 2);
});

test("bytes that are damaged every time are given up after three tries", async () => {
  const [base] = image.layers;
  await using registry = await startFakeRegistry(
    serving(image, (blob) => blob === base ? spoilt(blob) : undefined),
  );
  const home = makeHome();
  await assert.rejects(home.run(`docker://${registry.host}#app`), { code: "digest" });
  assert.equal(blobRequests(registry.requests).filter((one) => one === base!.digest).length, 3);
  assert.deepEqual(readdirSync(home.work), []);
});

for (
  const [title, spoil] of [
    ["damaged", (bytes: Buffer) => bytes.fill(0x55, 0, 3)],
    // What a power failure leaves of a file whose bytes had not reached the disk.
    ["zero-filled", (bytes: Buffer) => bytes.fill(0)],
    ["half zero-filled", (bytes: Buffer) => bytes.fill(0, bytes.length >> 1)],
    ["cut short", (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
  ] as const
) {
  test(`a blob that is ${title} in the cache is replaced`, async () => {
    const home = makeHome();
    await using registry = await startFakeRegistry(serving(image));
    await home.run(`docker://${registry.host}#app`);
    const blobs = [image.config, image.layers[0]!];
    for (const { digest, bytes } of blobs) {
      writeFileSync(blobPath(home.cache, digest), spoil(Buffer.from(bytes)));
    }
    await home.run(`docker://${registry.host}#app`, { forceOverride: true });
    for (const { digest, bytes } of blobs) {
      assert.ok(readFileSync(blobPath(home.cache, digest)).equals(bytes));
      const requests = blobRequests(registry.requests).filter((one) => one === digest);
      assert.equal(requests.length, 2);
    }
  });
}

test("any number of damaged blobs in the cache are replaced in one import", async () => {
  const tall = writeImage(join(scratch, "tall"), {
    layers: Array.from({ length: 5 }, (_, index) => [file(`f${index}`, `${index}`)]),
  });
  await using registry = await startFakeRegistry(serving(tall));
  const home = makeHome();
  await home.run(`docker://${registry.host}#app`);
  for (const { digest, bytes } of tall.layers) {
    writeFileSync(blobPath(home.cache, digest), Buffer.from(bytes).fill(0x55, 0, 3));
  }
  await home.run(`docker://${registry.host}#app`, { forceOverride: true });
  for (const { digest, bytes } of tall.layers) {
    assert.ok(readFileSync(blobPath(home.cache, digest)).equals(bytes));
  }
});

test("an image that is faulty itself is fetched once", async () => {
  const faulty = writeImage(join(scratch, "faulty"), {
    layers: [{ tar: [file("a", "1")], diffId: digestOf(Buffer.from("other")) }],
  });
  await using registry = await startFakeRegistry(serving(faulty));
  await assert.rejects(makeHome().run(`docker://${registry.host}#app`), { code: "digest" });
  assert.equal(blobRequests(registry.requests).length, 2);
});

test("an import that is stopped leaves nothing in the cache", async () => {
  const stop = new AbortController();
  const [base] = image.layers;
  await using registry = await startFakeRegistry(
    serving(image, (blob) => blob === base ? { body: blob.bytes, stallAfter: 10 } : undefined),
  );
  const home = makeHome();
  const running = home.run(`docker://${registry.host}#app`, {}, { signal: stop.signal });
  const ingest = join(home.cache, "ingest");
  const isArriving = () =>
    existsSync(ingest) && readdirSync(ingest).some((name) => name.includes("@"));
  const ended = assert.rejects(running, { code: "aborted" });
  for (let turn = 0; turn < 400 && !isArriving(); turn++) await sleep(5);
  stop.abort();
  await ended;
  assert.deepEqual(readdirSync(ingest), []);
  assert.deepEqual(readdirSync(home.work), []);
});

test("an existing output is replaced only by a setting or an option", async () => {
  const home = makeHome();
  const uri = `oci:${image.directory}`;
  writeFileSync(home.output, "old");
  await assert.rejects(home.run(uri), { code: "exists" });
  await assert.rejects(home.run(uri, { forceOverride: true }, { force: false }), {
    code: "exists",
  });
  assert.equal(readFileSync(home.output, "utf8"), "old");
  await home.run(uri, { forceOverride: true });
  await home.run(uri, {}, { force: true });
});

test("an encrypted layer, or one larger than the disk, is refused before it is fetched", async () => {
  const { layers } = JSON.parse(image.manifest.bytes.toString());
  for (
    const [changes, code] of [
      [{ mediaType: `${layers[0].mediaType}+encrypted` }, "unsupported"],
      [{ size: 2 ** 52 }, "space"],
    ] as const
  ) {
    const manifest = jsonBlob(image.manifest.mediaType, {
      ...JSON.parse(image.manifest.bytes.toString()),
      layers: [{ ...layers[0], ...changes }, layers[1]],
    });
    await using registry = await startFakeRegistry(serving({ ...image, manifest }));
    await assert.rejects(makeHome().run(`docker://${registry.host}#app`), { code });
    assert.deepEqual(blobRequests(registry.requests), []);
  }
});

test("an image that unpacks to more than the setting allows is refused", async () => {
  const uri = `oci:${image.directory}`;
  await assert.rejects(makeHome().run(uri, { maxImageBytes: 1000 }), { code: "limit" });
});

test("an image that is not for the architecture asked for is not imported", async () => {
  const home = makeHome();
  const importing = home.run(`oci:${image.directory}`, {}, { architecture: "neither" });
  await assert.rejects(importing, { code: "platform" });
});

test("files keep their times, and denroot's own get the image's; a setting gives one to all", async () => {
  const home = makeHome();
  const uri = `oci:${image.directory}`;
  await home.run(uri);
  assert.deepEqual((await timesIn(home.output)).files, new Set(["2001-02-03", "2024-01-02"]));
  await home.run(uri, { sourceDateEpoch: TIME + 86_400 }, { force: true });
  const { own, files } = await timesIn(home.output);
  assert.deepEqual(files, new Set(["2001-02-04"]));
  assert.match(own, /Feb +4 .*2001$/);
});

test("without a valid time in its configuration, an image counts as made in 1970", async () => {
  const config = JSON.parse(image.config.bytes.toString());
  for (const created of [undefined, "yesterday", "1960-01-01T00:00:00Z"]) {
    const changed = jsonBlob(image.config.mediaType, { ...config, created });
    const manifest = jsonBlob(image.manifest.mediaType, {
      ...JSON.parse(image.manifest.bytes.toString()),
      config: { mediaType: changed.mediaType, digest: changed.digest, size: changed.size },
    });
    await using registry = await startFakeRegistry(
      serving({ manifest, config: changed, layers: image.layers }),
    );
    const home = makeHome();
    await home.run(`docker://${registry.host}#app`);
    assert.deepEqual((await timesIn(home.output)).files, new Set(["2001-02-03", "1970-01-01"]));
  }
});

test("the layers of an image without a cache lie beside its output, and are removed", async () => {
  const home = makeHome();
  let during: readonly string[] = [];
  await using registry = await startFakeRegistry(serving(image));
  await home.run(`docker://${registry.host}#app`, { cachePath: "/dev/null/cache" }, {
    onProgress(event) {
      if (event.type === "resolved") during = readdirSync(home.work);
    },
  });
  assert.match(during.join(), /^\.denroot-[^,]+\.cache$/);
  assert.deepEqual(readdirSync(home.work), ["image.sqsh"]);
});

test("mksquashfs may use as many processors as the settings say", async () => {
  const home = makeHome();
  const recorder = join(home.work, "mksquashfs");
  writeFileSync(
    recorder,
    `#!/bin/sh\n[ "$1" = -version ] || echo "$@" >"${home.cache}/arguments"\nexec "${mksquashfs}" "$@"\n`,
  );
  chmodSync(recorder, 0o755);
  await home.run(`oci:${image.directory}`, { mksquashfs: recorder, maxProcessors: 2 });
  const args = readFileSync(join(home.cache, "arguments"), "utf8");
  assert.match(args, / -processors 2 /);
});
