/** Connections: their number, their time limits, their pace and their end. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeServerCertificate } from "../../helpers/certificates.ts";
import { startFakeRegistry } from "../../helpers/fake_registry.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { mostBytesBetween, until } from "../../http/http_fixture.ts";
import { blobOf, blobRequest, isError, NEVER, open, read } from "./registry_fixture.ts";

const scratch = scratchDirectory("connections");
const CONTENT = "0123456789";
const BLOB = blobOf(CONTENT);
const ONCE = { settings: { transferRetries: 0 } };

test("no more requests are open than the settings allow", async () => {
  const blobs = Array.from({ length: 12 }, (_, index) => blobOf(`blob ${index}`));
  let [open_, most] = [0, 0];
  await using registry = await startFakeRegistry(async ({ line }) => {
    most = Math.max(most, ++open_);
    await sleep(10);
    open_--;
    return { body: `blob ${blobs.findIndex(({ digest }) => line.endsWith(digest))}` };
  });
  await using source = await open(registry.host, { settings: { maxConnections: 3 } });
  const texts = await Promise.all(blobs.map((blob) => read(source, blob)));
  assert.deepEqual(texts, blobs.map((_, index) => `blob ${index}`));
  assert.equal(most, 3);
  assert.equal(registry.connections.most, 3);
  assert.equal(registry.connections.all, 3, "connections are kept alive");
});

test("a slow consumer slows the server down: the buffer is bounded", async () => {
  const size = 64 * 1024 * 1024;
  const body = new Uint8Array(size);
  await using registry = await startFakeRegistry(() => ({ body }));
  await using source = await open(registry.host, { ...ONCE, limits: { stallTimeoutMs: 1000 } });
  const digest = `sha256:${"0".repeat(64)}`;
  const chunks = source.blob({ mediaType: "", digest, size }, undefined, NEVER);
  let received = 0;
  for await (const chunk of chunks) {
    received += chunk.length;
    // This is longer than the time limit for stalls, which is for servers only.
    if (received === chunk.length) await sleep(1200);
    const ahead = registry.bytesWritten - received;
    assert.ok(ahead <= mostBytesBetween(), `${ahead} bytes ahead of the consumer`);
  }
  assert.equal(received, size);
});

test("a consumer that leaves in the middle ends the transfer and frees the connection", async () => {
  await using registry = await startFakeRegistry(() => ({ body: CONTENT, stallAfter: 5 }));
  await using source = await open(registry.host, { settings: { maxConnections: 1 } });
  for (let round = 0; round < 3; round++) {
    for await (const chunk of source.blob(BLOB, undefined, NEVER)) {
      assert.equal(chunk.length, 5);
      break;
    }
  }
  await until(() => registry.connections.open === 0);
});

test("an abort ends a transfer at once, with code aborted", async () => {
  await using registry = await startFakeRegistry(() => ({ body: CONTENT, stallAfter: 5 }));
  await using source = await open(registry.host);
  const controller = new AbortController();
  const chunks = source.blob(BLOB, undefined, controller.signal)[Symbol.asyncIterator]();
  assert.equal((await chunks.next()).value?.length, 5);
  const waiting = chunks.next();
  controller.abort();
  await assert.rejects(waiting, isError("aborted", /Interrupted/));
  const late = source.blob(BLOB, undefined, controller.signal)[Symbol.asyncIterator]();
  await assert.rejects(late.next(), isError("aborted", /Interrupted/));
});

test("the total time of a transfer is bounded by the settings", async () => {
  await using registry = await startFakeRegistry(() => ({ body: CONTENT, stallAfter: 5 }));
  await using source = await open(registry.host, {
    settings: { transferTimeoutMs: 50, transferRetries: 0 },
  });
  await assert.rejects(read(source, BLOB), isError("network", /took more than 0\.05 seconds/));
});

test("a connection that the server closed while it was idle is not a failure", async () => {
  const [a, b] = [blobOf("a"), blobOf("b")];
  await using registry = await startFakeRegistry([
    { request: blobRequest(a), answer: { body: "a" } },
    { request: blobRequest(b), answer: { hangUp: true } },
    { request: blobRequest(b), answer: { body: "b" } },
  ]);
  await using source = await open(registry.host, ONCE);
  assert.equal(await read(source, a), "a");
  assert.equal(await read(source, b), "b");
});

test("a host that does not finish the TLS handshake fails after the time to connect", async () => {
  const server = net.createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  {
    await using source = await open(`127.0.0.1:${port}`, {
      settings: { connectTimeoutMs: 50, transferRetries: 0, allowHttp: false },
    });
    await assert.rejects(
      read(source, BLOB),
      isError("network", /No connection to 127\.0\.0\.1:\d+ within 0\.05 seconds/),
    );
  }
  await new Promise((resolve) => server.close(resolve));
});

test("where plain HTTP fails and HTTPS has a wrong certificate, the error is about that", async () => {
  const server = await makeServerCertificate(join(scratch, "server"));
  const tls = {
    cert: readFileSync(server.certFile, "utf8"),
    key: readFileSync(server.keyFile, "utf8"),
  };
  await using registry = await startFakeRegistry(() => ({ body: "{}" }), { tls });
  await using source = await open(registry.host, ONCE);
  await assert.rejects(source.root(NEVER), isError("network", /certificate of .* is not trusted/));
});
