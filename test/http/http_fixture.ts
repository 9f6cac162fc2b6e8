/** What the tests of sending share: real servers on the loopback, clients, observable bodies. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type * as net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createHttpClient } from "../../lib/http/client.ts";
import { DEFAULT_HTTP_LIMITS } from "../../lib/http/limits.ts";
import { StreamedBody } from "../../lib/http/streamed_body.ts";
import { makeSettings } from "../transport/registry/registry_fixture.ts";

export const MIB = 1024 * 1024;

interface Served extends AsyncDisposable {
  readonly url: URL;
  /** What the server saw of each request, `METHOD content-length transfer-encoding`. */
  readonly requests: readonly string[];
  readonly connections: { readonly all: number; readonly open: number };
}

/** A real server on the loopback; with `tls` it speaks HTTPS. */
export async function serve(
  handle: http.RequestListener,
  tls?: { readonly cert: string; readonly key: string },
): Promise<Served> {
  const requests: string[] = [];
  const connections = { all: 0, open: 0 };
  const listener: http.RequestListener = (request, response) => {
    const { "content-length": length, "transfer-encoding": encoding } = request.headers;
    requests.push(`${request.method} ${length ?? "-"} ${encoding ?? "-"}`);
    handle(request, response);
  };
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  server.on("connection", (socket) => {
    connections.all++;
    connections.open++;
    socket.on("close", () => connections.open--);
    socket.on("error", () => {});
  });
  const listening = await listen(server);
  if (tls) listening.url.protocol = "https:";
  return { ...listening, requests, connections };
}

export async function listen(server: net.Server): Promise<{ url: URL } & AsyncDisposable> {
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

export function makeClient(limits = {}, settings = {}) {
  const client = createHttpClient(makeSettings(settings), { ...DEFAULT_HTTP_LIMITS, ...limits });
  return { send: client.send, [Symbol.dispose]: () => client.close() };
}

interface Upload {
  readonly body: StreamedBody;
  /** The bytes that were taken from the source so far, and whether it has ended. */
  readonly source: { taken: number; isEnded: boolean };
}

/** Announces `size` bytes and has `real` ones. */
export function makeUpload(size: number, real = size, chunkBytes = 64 * 1024, pauseMs = 0): Upload {
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

export async function until(holds: () => boolean): Promise<void> {
  for (let round = 0; round < 3000 && !holds(); round++) await sleep(10);
  assert.ok(holds(), "it did not happen within half a minute");
}

/**
 * How far one end of a connection on this machine may be ahead of the other: what the kernel keeps
 * between them, which newer kernels and administrators make larger (tcp(7)), and some more in the
 * two programs.
 */
export function mostBytesBetween(): number {
  const sizes = ["tcp_rmem", "tcp_wmem"].map((name) => {
    const [, , most] = readFileSync(`/proc/sys/net/ipv4/${name}`, "utf8").trim().split(/\s+/);
    return Number(most);
  });
  return sizes[0]! + sizes[1]! + 14 * MIB;
}
