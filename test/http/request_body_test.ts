/** Bodies that are sent: their length and their pace. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpMethod } from "../../lib/http/client.ts";
import { StreamedBody } from "../../lib/http/streamed_body.ts";
import { makeServerCertificate } from "../helpers/certificates.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { NEVER } from "../transport/registry/registry_fixture.ts";
import { makeClient, makeUpload, MIB, mostBytesBetween, serve } from "./http_fixture.ts";

const BODIES: readonly [
  method: HttpMethod,
  body: string | Uint8Array | undefined,
  seen: string,
][] = [
  ["GET", undefined, "GET - -"],
  ["HEAD", undefined, "HEAD - -"],
  ["DELETE", undefined, "DELETE - -"],
  ["POST", undefined, "POST 0 -"],
  ["PUT", undefined, "PUT 0 -"],
  ["PATCH", undefined, "PATCH 0 -"],
  ["POST", "mächtig", "POST 8 -"],
  ["PUT", new Uint8Array(3), "PUT 3 -"],
  ["PATCH", "", "PATCH 0 -"],
];

for (const [method, body, seen] of BODIES) {
  const what = body === undefined ? "no body" : `a body of ${body.length}`;
  test(`${method} with ${what} states the length and is not chunked`, async () => {
    let received = 0;
    await using server = await serve(async (request, response) => {
      for await (const chunk of request) received += (chunk as Uint8Array).length;
      response.end("fine");
    });
    using client = makeClient();
    const response = await client.send({
      method,
      url: server.url,
      headers: {},
      body,
      signal: NEVER,
    });
    assert.equal(response.status, 200);
    const text = await response.body.textStart(100);
    assert.equal(text, method === "HEAD" ? "" : "fine");
    assert.deepEqual(server.requests, [seen]);
    assert.equal(received, Number(seen.split(" ")[1]) || 0);
  });
}

test("a streamed body arrives whole, with its length", async () => {
  const bytes = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 251));
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += 700) {
      yield bytes.subarray(at, at + 700);
      yield new Uint8Array(0);
    }
  }
  await using server = await serve(async (request, response) => {
    const hash = createHash("sha256");
    for await (const chunk of request) hash.update(chunk as Uint8Array);
    response.end(hash.digest("hex"));
  });
  using client = makeClient();
  for (let round = 0; round < 3; round++) {
    const body = new StreamedBody(bytes.length, chunks());
    const response = await client.send({
      method: "PATCH",
      url: server.url,
      headers: { "content-type": "application/octet-stream" },
      body,
      signal: NEVER,
    });
    const expected = createHash("sha256").update(bytes).digest("hex");
    assert.equal(await response.body.textStart(100), expected);
  }
  assert.deepEqual(server.requests, ["PATCH 5000 -", "PATCH 5000 -", "PATCH 5000 -"]);
  assert.equal(server.connections.all, 1, "the connection is kept");
});

test("streamed bodies go over HTTPS too, on one kept connection", async () => {
  const { caFile, certFile, keyFile } = await makeServerCertificate(scratchDirectory("uploads"));
  const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  await using server = await serve(async (request, response) => {
    let received = 0;
    for await (const chunk of request) received += (chunk as Uint8Array).length;
    response.end(String(received));
  }, tls);
  using client = makeClient({}, { tls: { certFile: caFile }, allowHttp: false });
  for (const size of [5 * MIB, 1, 3 * MIB]) {
    const { body } = makeUpload(size);
    const request = { method: "PUT", url: server.url, headers: {}, body, signal: NEVER } as const;
    assert.equal(await (await client.send(request)).body.textStart(100), String(size));
  }
  assert.equal(server.connections.all, 1);
});

test("a streamed body of no bytes is sent as such", async () => {
  await using server = await serve((_, response) => void response.end());
  using client = makeClient();
  const { body } = makeUpload(0);
  const request = { method: "PUT", url: server.url, headers: {}, body, signal: NEVER } as const;
  assert.equal((await client.send(request)).status, 200);
  assert.deepEqual(server.requests, ["PUT 0 -"]);
});

test("300 MB go to a slow server with little memory: the source is not read ahead", async () => {
  const size = 300 * MIB;
  let received = 0;
  let paused = false;
  await using server = await serve(async (request, response) => {
    for await (const chunk of request) {
      received += (chunk as Uint8Array).length;
      if (!paused && received > 10 * MIB) {
        paused = true;
        await sleep(500);
      }
    }
    response.end(String(received));
  });
  using client = makeClient();
  const { body, source } = makeUpload(size);
  const before = process.memoryUsage().rss;
  let [mostAhead, mostMemory] = [0, 0];
  const watch = setInterval(() => {
    mostAhead = Math.max(mostAhead, source.taken - received);
    mostMemory = Math.max(mostMemory, process.memoryUsage().rss - before);
  }, 5);
  const response = await client.send({
    method: "PUT",
    url: server.url,
    headers: {},
    body,
    signal: NEVER,
  });
  clearInterval(watch);
  assert.equal(await response.body.textStart(100), String(size));
  assert.ok(mostAhead < mostBytesBetween(), `${mostAhead} bytes ahead of the server`);
  assert.ok(mostMemory < 200 * MIB, `${mostMemory} bytes of memory`);
});
