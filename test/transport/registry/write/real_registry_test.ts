/** Images that are written to Debian's docker-registry, in each of its modes, and read back. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync } from "node:fs";
import * as net from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { digestOf } from "../../../../lib/oci/digest.ts";
import { OCI_INDEX } from "../../../../lib/oci/media_types.ts";
import type { StoredDocument } from "../../../../lib/types/image.ts";
import {
  type Registry,
  type RegistryOptions,
  startRegistry,
} from "../../../helpers/registry_server.ts";
import { findProgram, runProgram } from "../../../helpers/run_program.ts";
import { scratchDirectory } from "../../../helpers/scratch.ts";
import { listen, until } from "../../../http/http_fixture.ts";
import { configIn } from "../auth/authentication_fixture.ts";
import { blobOf, isError, NEVER, open, read } from "../registry_fixture.ts";
import {
  bytesOf,
  descriptorOf,
  documentOf,
  imageOf,
  indexOf,
  KEEP,
  noise,
  openTo,
  putImage,
  referrerTo,
  REPLACE,
} from "./write_fixture.ts";

const scratch = scratchDirectory("real-registry");
const registries: Promise<Registry>[] = [];
after(async () => {
  for (const registry of registries) await (await registry).stop();
});

/** Started once for all tests that ask for the same one. */
const started = new Map<string, Promise<Registry>>();
function registryWith(options: RegistryOptions = {}): Promise<Registry> {
  const key = JSON.stringify(options);
  const known = started.get(key) ?? startRegistry(options);
  if (!started.has(key)) registries.push(known);
  started.set(key, known);
  return known;
}

const LOGIN = { user: "me", password: "secret" };

/** An index of an image and of an index, an artifact without content, and what refers to them. */
const LAYER = noise(3_000_000);
const IMAGE = imageOf(LAYER, "second");
const INNER = indexOf(IMAGE.document);
const ARTIFACT = documentOf({
  artifactType: "application/x-thing",
  config: { ...blobOf("{}"), mediaType: "application/vnd.oci.empty.v1+json" },
  layers: [blobOf("second")],
});
const ROOT = indexOf(INNER, ARTIFACT);
const NOTE = referrerTo(ROOT, "note");
const NOTE_OF_NOTE = referrerTo(NOTE, "a note about the note");

for (
  const [title, options] of [
    ["is open to all", {}],
    ["asks for a password", { auth: "htpasswd", ...LOGIN }],
    ["asks for tokens", { auth: "token", ...LOGIN }],
    ["has TLS", { tls: true }],
  ] as const satisfies readonly (readonly [string, RegistryOptions])[]
) {
  test(`an image with everything that belongs to it comes back from a registry that ${title}`, async () => {
    const registry = await registryWith(options);
    const settings = {
      ...configIn(scratch, `machine ${registry.host} login me password secret\n`),
      allowHttp: registry.caFile === undefined,
      tls: registry.caFile === undefined ? {} : { certFile: registry.caFile },
    };
    await using destination = await openTo(registry.host, { settings });
    assert.equal(await destination.current(NEVER), undefined);
    await putImage(destination, IMAGE);
    for (const document of [INNER, ARTIFACT, ROOT]) await destination.putDocument(document, NEVER);
    await destination.commit(ROOT, { replace: false, furtherTags: ["v1"] }, NEVER);
    for (const note of [NOTE, NOTE_OF_NOTE]) await destination.putDocument(note, NEVER);
    assert.equal(await destination.current(NEVER), ROOT.digest);

    await using source = await open(registry.host, { settings });
    const { document } = await source.at("v1").root(NEVER);
    assert.deepEqual([document.digest, document.mediaType], [ROOT.digest, OCI_INDEX]);
    for (const child of [INNER, ARTIFACT, IMAGE.document]) {
      const copy = await source.document(descriptorOf(child), NEVER);
      assert.deepEqual(Buffer.from(copy.bytes), Buffer.from(child.bytes));
    }
    assert.equal(await read(source, blobOf("second")), "second");
    const referrers = async ({ digest }: StoredDocument) =>
      (await source.referrers(digest, NEVER)).map((entry) => entry.digest);
    assert.deepEqual(await referrers(ROOT), [NOTE.digest]);
    assert.deepEqual(await referrers(NOTE), [NOTE_OF_NOTE.digest]);
    assert.deepEqual(await referrers(ARTIFACT), []);
  });
}

test("skopeo finds every byte of what was written", async () => {
  const registry = await registryWith();
  await using destination = await openTo(registry.host, {
    reference: { repository: "for/skopeo" },
  });
  await putImage(destination, IMAGE);
  const other = imageOf("third");
  await putImage(destination, other);
  const index = indexOf(IMAGE.document, other.document);
  await destination.putDocument(index, NEVER);
  await destination.commit(index, KEEP, NEVER);
  const skopeo = findProgram("skopeo");
  assert.ok(skopeo, "skopeo is not installed");
  const copy = join(scratch, "for-skopeo");
  const from = `docker://${registry.host}/for/skopeo:latest`;
  const args = [
    "copy",
    "--all",
    "--src-tls-verify=false",
    "--insecure-policy",
    from,
    `dir:${copy}`,
  ];
  await runProgram(skopeo, args);
  const names = readdirSync(copy);
  for (const blob of [...IMAGE.blobs, ...other.blobs]) {
    assert.ok(names.includes(blobOf(blob).digest.slice(7)), "a blob is missing");
  }
});

test("a registry mounts a blob of another repository, with the token for both", async () => {
  for (const options of [{}, { auth: "token", ...LOGIN }] as const) {
    const registry = await registryWith(options);
    const settings = configIn(scratch, `machine ${registry.host} login me password secret\n`);
    const to = (repository: string) =>
      openTo(registry.host, { settings, reference: { repository } });
    await using base = await to("base/os");
    await base.putBlob(blobOf(LAYER), bytesOf(LAYER), NEVER);
    await using destination = await to("mounted/app");
    assert.ok(await destination.mount(blobOf(LAYER), "base/os", NEVER));
    assert.ok(await destination.hasBlob(blobOf(LAYER), NEVER));
    const missing = blobOf("nowhere");
    assert.ok(!await destination.mount(missing, "base/os", NEVER));
    await destination.putBlob(missing, bytesOf("nowhere"), NEVER);
    assert.ok(await destination.hasBlob(missing, NEVER));
  }
});

/** Passes everything on, and cuts the first connection that has sent this many bytes. */
async function cuttingAfter(bytes: number, port: number) {
  let isCut = false;
  const relay = net.createServer((client) => {
    const server = net.connect(port, "127.0.0.1");
    let passed = 0;
    for (const side of [client, server]) {
      side.on("error", () => {});
      side.on("close", () => [client, server].forEach((socket) => socket.destroy()));
    }
    server.pipe(client);
    client.on("data", (chunk) => {
      passed += chunk.length;
      if (passed > bytes && !isCut) {
        isCut = true;
        client.destroy();
      } else if (!server.write(chunk)) {
        client.pause();
        server.once("drain", () => client.resume());
      }
    });
  });
  return await listen(relay);
}

test("a blob whose upload was cut arrives all the same", async () => {
  const registry = await registryWith();
  await using relay = await cuttingAfter(5_000_000, registry.port);
  const log: string[] = [];
  await using destination = await openTo(relay.url.host, { log });
  const blob = noise(12_000_000, 7);
  await destination.putBlob(blobOf(blob), bytesOf(blob, { chunkBytes: 100_000 }), NEVER);
  assert.match(log.join("\n"), /failed: it was cut; trying again/);
  await using direct = await openTo(registry.host);
  assert.ok(await direct.hasBlob(blobOf(blob), NEVER));
});

test("a registry that is killed in mid-upload and comes back gets the blob", async () => {
  const registry = await startRegistry();
  try {
    await using destination = await openTo(registry.host, {
      settings: { transferRetries: 20 },
      limits: { backOffMs: 50, backOffMaxMs: 200 },
    });
    const blob = noise(4_000_000, 8);
    let isKilled = false;
    await destination.putBlob(blobOf(blob), async function* (start) {
      yield blob.subarray(start, start + 1_000_000);
      yield blob.subarray(start + 1_000_000, start + 2_000_000);
      if (!isKilled) {
        isKilled = true;
        await registry.kill();
        await registry.restart();
      }
      yield blob.subarray(start + 2_000_000);
    }, NEVER);
    assert.ok(isKilled);
    assert.ok(await destination.hasBlob(blobOf(blob), NEVER));
  } finally {
    await registry.stop();
  }
});

test("an abort before the bytes have ended leaves no open upload", async () => {
  const registry = await registryWith();
  const reference = { repository: "stopped/app" };
  const stop = new AbortController();
  const uploads = join(
    registry.storage,
    "docker/registry/v2/repositories/stopped/app/_uploads",
  );
  {
    await using destination = await openTo(registry.host, { reference });
    const put = destination.putBlob(blobOf("text"), async function* () {
      await until(() => readdirSync(uploads).length === 1);
      stop.abort();
      yield Buffer.from("text");
    }, stop.signal);
    await assert.rejects(put, isError("aborted", /./));
  }
  // The registry leaves the state of a hash behind, and nothing of the blob.
  const left = readdirSync(uploads, { recursive: true }).map(String);
  assert.deepEqual(left.filter((name) => /data$|startedat$/.test(name)), []);
});

test("an index without its children is refused in words", async () => {
  const registry = await registryWith();
  await using destination = await openTo(registry.host, {
    reference: { repository: "lonely/app" },
  });
  await assert.rejects(destination.putDocument(ROOT, NEVER), (error) => {
    isError("registry", /MANIFEST_BLOB_UNKNOWN/)(error);
    assert.match((error as { hint?: string }).hint ?? "", /everything that it names/);
    return true;
  });
});

test("a blob with a digest of sha512 is taken, and a manifest refused in words", async () => {
  const registry = await registryWith();
  const text = "long";
  const layer = { ...blobOf(text), digest: digestOf(Buffer.from(text), "sha512") };
  const document = documentOf({ config: blobOf("{}"), layers: [layer] });
  await using destination = await openTo(registry.host, { reference: { repository: "long/app" } });
  await destination.putBlob(layer, bytesOf(text), NEVER);
  await destination.putBlob(blobOf("{}"), bytesOf("{}"), NEVER);
  await destination.putDocument(document, NEVER);
  await destination.commit(document, KEEP, NEVER);
  const long = { ...document, digest: digestOf(document.bytes, "sha512") };
  await destination.commit(long, KEEP, NEVER);
  await assert.rejects(destination.putDocument(long, NEVER), (error) => {
    isError("registry", /DIGEST_INVALID/)(error);
    assert.match((error as { hint?: string }).hint ?? "", /other algorithm/);
    return true;
  });
});

test("a tag moves when that is wanted, and a deleted image takes its tags along", async () => {
  const registry = await registryWith();
  const [one, two] = [imageOf("one"), imageOf("two")];
  await using destination = await openTo(registry.host, {
    reference: { repository: "moving/app" },
  });
  for (const image of [one, two]) await putImage(destination, image);
  await destination.commit(one.document, KEEP, NEVER);
  await assert.rejects(
    destination.commit(two.document, KEEP, NEVER),
    isError("exists", /is another image already/),
  );
  assert.equal(await destination.current(NEVER), one.document.digest);
  await destination.commit(two.document, REPLACE, NEVER);
  assert.equal(await destination.current(NEVER), two.document.digest);
  // This version of the registry deletes by digest only.
  await assert.rejects(destination.deleteTag("latest", NEVER), isError("unsupported", /latest/));
  await destination.deleteManifest(two.document.digest, NEVER);
  assert.equal(await destination.current(NEVER), undefined);
  await assert.rejects(
    destination.deleteManifest(two.document.digest, NEVER),
    isError("not_found", /./),
  );
});

test("a registry that is set to keep all images says so", async () => {
  const registry = await registryWith({ keepsAll: true });
  await using destination = await openTo(registry.host);
  const image = imageOf("kept");
  await putImage(destination, image);
  const deleting = destination.deleteManifest(image.document.digest, NEVER);
  await assert.rejects(deleting, isError("unsupported", /cannot be deleted: .*405/));
});

test("someone who may only read is told so", async () => {
  const registry = await registryWith({ auth: "token" });
  await using destination = await openTo(registry.host);
  const put = destination.putBlob(blobOf("text"), bytesOf("text"), NEVER);
  await assert.rejects(put, isError("credentials", /authentication is required|access is denied/));
});
