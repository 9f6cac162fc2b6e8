/** Uploads that end early: by the server, by the source of the body, by an abort. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as net from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { StreamedBody } from "../../lib/http/streamed_body.ts";
import { isError, NEVER } from "../transport/registry/registry_fixture.ts";
import {
  listen,
  makeClient,
  makeUpload,
  MIB,
  mostBytesBetween,
  serve,
  until,
} from "./http_fixture.ts";

for (
  const [title, status, answer] of [
    ["a short answer", 413, "too large"],
    ["a long answer", 401, "x".repeat(100_000)],
  ] as const
) {
  test(`${title} that comes before the body is read ends the upload, and is read`, async () => {
    await using server = await serve((request, response) => {
      response.writeHead(status, { "content-length": answer.length }).end(answer);
      // Only a server that reads again sees the end of the connection.
      request.on("error", () => {});
      setTimeout(() => request.resume(), 100);
    });
    using client = makeClient();
    const { body, source } = makeUpload(100 * MIB);
    const response = await client.send({
      method: "PATCH",
      url: server.url,
      headers: {},
      body,
      signal: NEVER,
    });
    assert.equal(response.status, status);
    assert.equal(await response.body.textStart(200_000), answer);
    await until(() => source.isEnded);
    assert.ok(
      source.taken <= Math.min(mostBytesBetween(), 100 * MIB),
      `${source.taken} bytes were taken from the source`,
    );
    await until(() => server.connections.open === 0);
    const next = await client.send({ method: "GET", url: server.url, headers: {}, signal: NEVER });
    assert.equal(next.status, status);
    assert.equal(server.connections.all, 2, "the connection of the upload is not used again");
  });
}

for (
  const [title, makeBody] of [
    ["streamed", () => makeUpload(100 * MIB).body],
    ["large", () => new Uint8Array(16 * MIB)],
  ] as const
) {
  test(`a server may answer and hang up without reading a ${title} body: its answer counts`, async () => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.pause();
        socket.write(
          "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\ndenied",
        );
        setTimeout(() => socket.destroy(), 20);
      });
    });
    await using listening = await listen(server);
    using client = makeClient();
    for (let round = 0; round < 10; round++) {
      const response = await client.send({
        method: "PUT",
        url: listening.url,
        headers: {},
        body: makeBody(),
        signal: NEVER,
      });
      assert.equal(response.status, 403);
      assert.equal(await response.body.textStart(100), "denied");
    }
  });
}

test("an abort in the middle of a body ends the connection and the source", async () => {
  let [received, aborted] = [0, 0];
  await using server = await serve((request) => {
    request.on("data", (chunk) => received += chunk.length);
    request.on("close", () => aborted++);
  });
  using client = makeClient();
  const controller = new AbortController();
  const { body, source } = makeUpload(100 * MIB, 100 * MIB, 64 * 1024, 1);
  const { signal } = controller;
  const sending = client.send({ method: "PUT", url: server.url, headers: {}, body, signal });
  await until(() => received > 100_000);
  controller.abort();
  await assert.rejects(sending, isError("aborted", /Interrupted/));
  await until(() => aborted === 1 && source.isEnded);
  assert.ok(source.taken < 90 * MIB);
});

for (
  const [title, real, message] of [
    ["shorter", 900_000, /^The body has 900000 bytes, not 1000000$/],
    ["longer", 1_000_001, /^The body has more than 1000000 bytes$/],
  ] as const
) {
  test(`a body that is ${title} than announced is a mistake that no server accepts`, async () => {
    let isComplete = false;
    await using server = await serve((request, response) => {
      request.on("error", () => {});
      request.on("end", () => {
        isComplete = true;
        response.end();
      }).resume();
    });
    using client = makeClient();
    const { body, source } = makeUpload(1_000_000, real);
    await assert.rejects(
      client.send({ method: "PUT", url: server.url, headers: {}, body, signal: NEVER }),
      { name: "TypeError", message },
    );
    await until(() => source.isEnded && server.connections.open === 0);
    assert.equal(isComplete, false);
  });
}

test("a source that fails after the server has answered does no harm to the answer", async () => {
  await using server = await serve((request, response) => {
    request.on("error", () => {});
    response.writeHead(413, { "content-length": 10 });
    response.write("too l");
    setTimeout(() => response.end("arge!"), 150);
  });
  async function* failing() {
    yield new Uint8Array(10);
    yield new Uint8Array(10);
    await sleep(50);
    throw new Error("Nobody wants to know this");
  }
  using client = makeClient();
  const body = new StreamedBody(1000, failing());
  const { url } = server;
  const response = await client.send({ method: "PUT", url, headers: {}, body, signal: NEVER });
  const bytes = await response.body.bytes(100, () => new Error("It is too long"));
  assert.equal(new TextDecoder().decode(bytes), "too large!");
});

test("empty chunks of a source are skipped, and nothing counts as sent before the first byte", async () => {
  async function* chunks() {
    for (const text of ["", "a", "", "b", ""]) yield await Promise.resolve(Buffer.from(text));
  }
  const body = new StreamedBody(2, chunks());
  const taken: string[] = [];
  for (let chunk = await body.peek(); chunk !== undefined; chunk = await body.peek()) {
    assert.equal(body.isStarted, taken.length > 0);
    taken.push(Buffer.from(chunk).toString());
    body.take();
  }
  assert.deepEqual(taken, ["a", "b"]);
});

test("a source that fails at its very end leaves the request incomplete", async () => {
  let isComplete = false;
  await using server = await serve((request, response) => {
    request.on("error", () => {});
    request.on("end", () => {
      isComplete = true;
      response.end();
    }).resume();
  });
  async function* wrong() {
    yield new Uint8Array(10);
    await sleep(20);
    throw new Error("These are other bytes");
  }
  using client = makeClient();
  const body = new StreamedBody(10, wrong());
  await assert.rejects(
    client.send({ method: "PUT", url: server.url, headers: {}, body, signal: NEVER }),
    { message: "These are other bytes" },
  );
  await until(() => server.connections.open === 0);
  assert.equal(isComplete, false);
});

test("a server that stops reading fails the upload; a source may pause as long as it likes", async () => {
  await using deaf = await serve(() => {});
  using client = makeClient({ stallTimeoutMs: 500 });
  const { body, source } = makeUpload(100 * MIB);
  await assert.rejects(
    client.send({ method: "PUT", url: deaf.url, headers: {}, body, signal: NEVER }),
    isError("network", /sent nothing for 0\.5 seconds/),
  );
  await until(() => source.isEnded);
  await using server = await serve((request, response) => {
    request.on("end", () => response.end()).resume();
  });
  const slow = makeUpload(2, 2, 1, 700).body;
  const request = { method: "PUT", url: server.url, headers: {}, signal: NEVER } as const;
  assert.equal((await client.send({ ...request, body: slow })).status, 200);
});
