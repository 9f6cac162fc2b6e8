/** A registry's door that sends blobs to a storage on another origin, as the clouds do. */

import { createReadStream, statSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Registry, storedBlobPath } from "./registry_server.ts";

interface RedirectingRegistry {
  readonly host: string;
  /** Requests to the storage: `METHOD PATH AUTHORIZATION`. */
  readonly storageRequests: string[];
  uri(repository: string, tag?: string): string;
  stop(): Promise<void>;
}

/** Passes requests to `registry`; blobs, and manifests if wanted, are redirected to the storage. */
export async function startRedirectingRegistry(
  registry: Registry,
  options: { status?: number; manifests?: boolean } = {},
): Promise<RedirectingRegistry> {
  const storageRequests: string[] = [];
  const storage = createServer((incoming, response) => {
    const { authorization } = incoming.headers;
    storageRequests.push(`${incoming.method} ${incoming.url} ${authorization ?? "-"}`);
    // S3 refuses a request with both a signed URL and an Authorization header.
    if (authorization !== undefined) {
      response.writeHead(400).end("Only one auth mechanism allowed");
    } else serveBlob(registry, incoming, response);
  });
  const storagePort = await listen(storage);
  const door = createServer((incoming, response) => {
    const match = incoming.url!.match(/^\/v2\/.+\/(blobs|manifests)\/(sha256:[0-9a-f]{64})$/);
    const redirected = match?.[1] === "blobs" || (match !== null && options.manifests === true);
    forward(registry, incoming, response, (status) => {
      if (!redirected || status >= 300 || match === null) return undefined;
      const target = `http://127.0.0.1:${storagePort}/bucket/${match[2]}?X-Signature=secret`;
      return { status: options.status ?? 307, headers: { location: target } };
    });
  });
  const port = await listen(door);
  return {
    host: `127.0.0.1:${port}`,
    storageRequests,
    uri: (repository, tag = "latest") => `docker://127.0.0.1:${port}#${repository}:${tag}`,
    async stop() {
      for (const server of [door, storage]) {
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }
    },
  };
}

function serveBlob(registry: Registry, incoming: IncomingMessage, response: ServerResponse): void {
  const digest = incoming.url!.match(/sha256:[0-9a-f]{64}/)![0];
  const path = storedBlobPath(registry.storage, digest);
  const size = statSync(path).size;
  const range = incoming.headers.range?.match(/^bytes=(\d+)-(\d*)$/);
  if (range === null || range === undefined) {
    response.writeHead(200, { "content-length": size, "content-type": "binary/octet-stream" });
    createReadStream(path).pipe(response);
    return;
  }
  const start = Number(range[1]);
  const end = range[2] === "" ? size - 1 : Math.min(size - 1, Number(range[2]));
  response.writeHead(206, {
    "content-length": end - start + 1,
    "content-range": `bytes ${start}-${end}/${size}`,
  });
  createReadStream(path, { start, end }).pipe(response);
}

type Verdict = (status: number) => { status: number; headers: Record<string, string> } | undefined;

/** Asks the registry first: a refused client gets the refusal, not a redirect. */
function forward(
  registry: Registry,
  incoming: IncomingMessage,
  response: ServerResponse,
  verdict: Verdict,
): void {
  const outgoing = request({
    host: "127.0.0.1",
    port: registry.port,
    path: incoming.url,
    method: incoming.method,
    headers: incoming.headers,
  }, (answer) => {
    const instead = verdict(answer.statusCode!);
    if (instead === undefined) {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    } else {
      answer.destroy();
      response.writeHead(instead.status, instead.headers).end();
    }
  });
  outgoing.on("error", () => response.destroy());
  incoming.pipe(outgoing);
}

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
