/** Bodies that are sent: their length, their pace, and every way in which sending can end early. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import * as http from "node:http";
import * as net from "node:net";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createHttpClient, type HttpMethod } from "../../lib/http/client.ts";
import { DEFAULT_HTTP_LIMITS } from "../../lib/http/limits.ts";
import { StreamedBody } from "../../lib/http/streamed_body.ts";
import { isError, makeSettings, NEVER } from "../transport/registry/registry_fixture.ts";

const MIB = 1024 * 1024;

interface Served extends AsyncDisposable {
  readonly url: URL;
  /** What the server saw of each request, `METHOD content-length transfer-encoding`. */
  readonly requests: readonly string[];
  readonly connections: { readonly all: number; readonly open: number };
}

/** A real server on the loopback. */
async function serve(handle: http.RequestListener): Promise<Served> {
  const requests: string[] = [];
  const connections = { all: 0, open: 0 };
  const server = http.createServer((request, response) => {
    const { "content-length": length, "transfer-encoding": encoding } = request.headers;
    requests.push(`${request.method} ${length ?? "-"} ${encoding ?? "-"}`);
    handle(request, response);
  });
  server.on("connection", (socket) => {
    connections.all++;
    connections.open++;
    socket.on("close", () => connections.open--);
    socket.on("error", () => {});
  });
  return { ...await listen(server), requests, connections };
}

async function listen(server: net.Server): Promise<{ url: URL } & AsyncDisposable> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function makeClient(limits = {}, settings = {}) {
  const client = createHttpClient(makeSettings(settings), { ...DEFAULT_HTTP_LIMITS, ...limits });
  return { send: client.send, [Symbol.dispose]: () => client.close() };
}

interface Upload {
  readonly body: StreamedBody;
  /** The bytes that were taken from the source so far, and whether it has ended. */
  readonly source: { taken: number; isEnded: boolean };
}

/** Announces `size` bytes and has `real` ones. */
function makeUpload(size: number, real = size, chunkBytes = 64 * 1024, pauseMs = 0): Upload {
  const source = { taken: 0, isEnded: false };
  async function* chunks() {
    try {
      while (source.taken < real) {
        if (pauseMs > 0) await sleep(pauseMs);
        const chunk = new Uint8Array(Math.min(chunkBytes, real - source.taken));
        source.taken += chunk.length;
        yield chunk;
      }
    } finally {
      source.isEnded = true;
    }
  }
  return { body: new StreamedBody(size, chunks()), source };
}

async function until(holds: () => boolean): Promise<void> {
  for (let round = 0; round < 200 && !holds(); round++) await sleep(10);
  assert.ok(holds(), "it did not happen within 2 seconds");
}

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

test("a streamed body of no bytes is sent as such", async () => {
  await using server = await serve((_, response) => void response.end());
  using client = makeClient();
  const { body } = makeUpload(0);
  const request = { method: "PUT", url: server.url, headers: {}, body, signal: NEVER } as const;
  assert.equal((await client.send(request)).status, 200);
  assert.deepEqual(server.requests, ["PUT 0 -"]);
});

test("100 MB go to a slow server with little memory: the source is not read ahead", async () => {
  const size = 100 * MIB;
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
  assert.ok(mostAhead < 24 * MIB, `${mostAhead} bytes ahead of the server`);
  assert.ok(mostMemory < 90 * MIB, `${mostMemory} bytes of memory`);
});

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
    assert.ok(source.taken < 50 * MIB, `${source.taken} bytes were taken from the source`);
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
  test(`the answer counts of a server that hangs up without reading a ${title} body`, async () => {
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
  using client = makeClient({ stallTimeoutMs: 100 }, { connectTimeoutMs: 100 });
  const { body, source } = makeUpload(100 * MIB);
  await assert.rejects(
    client.send({ method: "PUT", url: deaf.url, headers: {}, body, signal: NEVER }),
    isError("network", /sent nothing for 0\.1 seconds/),
  );
  await until(() => source.isEnded);
  await using server = await serve((request, response) => {
    request.on("end", () => response.end()).resume();
  });
  const slow = makeUpload(3, 3, 1, 150).body;
  const request = { method: "PUT", url: server.url, headers: {}, signal: NEVER } as const;
  assert.equal((await client.send({ ...request, body: slow })).status, 200);
});

/** Answers the first request; closes when a second one comes on the same connection. */
function serveOnce(received: string[], hangUpAt: RegExp): net.Server {
  return net.createServer((socket) => {
    let text = "";
    let isFirst = true;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (!isFirst && hangUpAt.test(text)) return void socket.destroy();
      const head = /^(\w+) [^]*?\r\n\r\n/.exec(text);
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (head === null || text.length < head[0].length + length) return;
      received.push(head[1]!);
      [text, isFirst] = ["", false];
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
  });
}

const HEAD_OF_REQUEST = /\r\n\r\n/;
const PART_OF_BODY = /\r\n\r\n\0/;

/** [title, method, body, what the server hangs up at, whether the request goes out again] */
const STALE: readonly (readonly [
  title: string,
  method: HttpMethod,
  body: () => string | StreamedBody | undefined,
  hangUpAt: RegExp,
  isRepeated: boolean,
])[] = [
  ["GET", "GET", () => undefined, HEAD_OF_REQUEST, true],
  ["HEAD", "HEAD", () => undefined, HEAD_OF_REQUEST, true],
  ["POST without a body", "POST", () => undefined, HEAD_OF_REQUEST, false],
  ["DELETE", "DELETE", () => undefined, HEAD_OF_REQUEST, false],
  ["PUT with a text", "PUT", () => "text", HEAD_OF_REQUEST, false],
  [
    "PUT with a streamed body, none of which was sent,",
    "PUT",
    () => makeUpload(5, 5, 1, 50).body,
    HEAD_OF_REQUEST,
    true,
  ],
  [
    "PUT with a streamed body, a part of which was sent,",
    "PUT",
    () => makeUpload(5, 5, 1, 30).body,
    PART_OF_BODY,
    false,
  ],
];

for (const [title, method, makeBody, hangUpAt, isRepeated] of STALE) {
  const happens = isRepeated ? "goes out again" : "fails and is not repeated";
  test(`${title} on a kept connection that is closed meanwhile ${happens}`, async () => {
    const received: string[] = [];
    await using server = await listen(serveOnce(received, hangUpAt));
    using client = makeClient();
    const first = await client.send({
      method: "GET",
      url: server.url,
      headers: {},
      signal: NEVER,
    });
    await first.body.textStart(10);
    // Until the connection is kept.
    await sleep(10);
    const body = makeBody();
    const second = client.send({ method, url: server.url, headers: {}, body, signal: NEVER });
    if (isRepeated) assert.equal((await second).status, 200);
    else await assert.rejects(second, isError("network", /it was cut/));
    assert.deepEqual(received, isRepeated ? ["GET", method] : ["GET"]);
  });
}

test("a body that was not sent can go with another request; closing ends its source", async () => {
  let isEnded = false;
  const chunks = {
    next: () => Promise.resolve({ done: false as const, value: new Uint8Array(5) }),
    return: () => {
      isEnded = true;
      return Promise.resolve({ done: true as const, value: undefined });
    },
    [Symbol.asyncIterator]: () => chunks,
  };
  using client = makeClient();
  const body = new StreamedBody(5, chunks);
  // Nothing listens there.
  const url = new URL("http://127.0.0.1:9/");
  await assert.rejects(
    client.send({ method: "PUT", url, headers: {}, body, signal: NEVER }),
    isError("network", /it was refused/),
  );
  assert.equal(body.isStarted, false);
  assert.equal(isEnded, false);
  body.close();
  assert.equal(isEnded, true);
});
