/** Kept connections that the server closes: which requests go out again, and which never do. */

import assert from "node:assert/strict";
import * as net from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpMethod } from "../../lib/http/client.ts";
import { StreamedBody } from "../../lib/http/streamed_body.ts";
import { isError, NEVER } from "../transport/registry/registry_fixture.ts";
import { watchedSignal, watchTimers } from "../helpers/leaks.ts";
import { listen, makeClient, makeUpload, serve, until } from "./http_fixture.ts";

/** Answers the first request of a connection, and hangs up when the second matches `hangUpAt`. */
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
  /** `isNoticed` resolves when the request comes on a second connection. */
  body: (isNoticed: () => Promise<void>) => string | StreamedBody | undefined,
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
    (isNoticed) => new StreamedBody(5, bytesAfter(isNoticed)),
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

async function* bytesAfter(moment: () => Promise<void>) {
  await moment();
  yield new Uint8Array(5);
}

for (const [title, method, makeBody, hangUpAt, isRepeated] of STALE) {
  const happens = isRepeated ? "goes out again" : "fails and is not repeated";
  test(`${title} on a kept connection that is closed meanwhile ${happens}`, async () => {
    const received: string[] = [];
    const once = serveOnce(received, hangUpAt);
    let connections = 0;
    once.on("connection", () => connections++);
    await using server = await listen(once);
    using client = makeClient();
    const first = await client.send({
      method: "GET",
      url: server.url,
      headers: {},
      signal: NEVER,
    });
    await first.body.textStart(10);
    // The agent needs a moment to keep the connection.
    await sleep(10);
    const body = makeBody(() => until(() => connections === 2));
    const second = client.send({ method, url: server.url, headers: {}, body, signal: NEVER });
    if (isRepeated) assert.equal((await second).status, 200);
    else await assert.rejects(second, isError("network", /it was cut/));
    assert.deepEqual(received, isRepeated ? ["GET", method] : ["GET"]);
  });
}

test("an answer on a kept connection that is not HTTP is an error, and no reason to ask again", async () => {
  let connections = 0;
  const server = net.createServer((socket) => {
    connections++;
    let requests = 0;
    socket.on("error", () => {});
    socket.on("data", () => {
      socket.write(
        requests++ === 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : "nonsense\r\n\r\n",
      );
    });
  });
  await using listening = await listen(server);
  using client = makeClient();
  const request = { method: "GET", url: listening.url, headers: {}, signal: NEVER } as const;
  await (await client.send(request)).body.textStart(10);
  await sleep(10);
  await assert.rejects(client.send(request), isError("network", /./));
  assert.equal(connections, 1);
});

test("a request leaves no timers and no listeners", async () => {
  await using server = await serve((_, response) => response.end("done"));
  using client = makeClient({}, { transferTimeoutMs: 123_456, connectTimeoutMs: 123_457 });
  const watched = watchedSignal();
  using timers = watchTimers();
  const { signal } = watched;
  for (let round = 0; round < 3; round++) {
    const response = await client.send({ method: "GET", url: server.url, headers: {}, signal });
    assert.equal(await response.body.textStart(10), "done");
  }
  await sleep(10);
  assert.equal(watched.listeners, 0);
  assert.deepEqual(timers.delaysMs.filter((delay) => delay > 120_000), []);
});

test("a body of which nothing was sent can be sent with another request, but no other can", async () => {
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
  body.take();
  await assert.rejects(
    client.send({ method: "PUT", url, headers: {}, body, signal: NEVER }),
    { name: "TypeError", message: /sent already/ },
  );
});
