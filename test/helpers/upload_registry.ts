/** A registry in memory that takes images. It fails where a test wants it, and as two kinds of real ones do. */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import * as http from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** The repository of most tests. All repositories share their blobs and manifests. */
const TESTED = "team/app";

/** A moment of a request: before it is looked at, in the middle of its body, before it is answered. */
export type Moment = "before" | "middle" | "after";

/** An answer instead of the registry's own, or the end of the connection. */
export type Fault =
  | "cut"
  | { status: number; headers?: Record<string, string>; body?: string }
  | undefined;

interface UploadRegistryOptions {
  /**
   * `kept`: a cut upload goes on where it was, as in distribution 3. `lost`: it is forgotten, and a
   * part at a wrong place is appended silently, as in distribution 2.8.
   */
  readonly cuts?: "kept" | "lost";
  /** Whether it keeps lists of referrers by itself. */
  readonly referrers?: boolean;
  /** What may be deleted: distribution 2.8 takes no tags, and without being told to nothing at all. */
  readonly deletes?: "tags and manifests" | "manifests" | "nothing";
  /** Asked at each moment of each request; `method` and `path` are those of the request. */
  readonly fault?: (moment: Moment, method: string, path: string, sender: Sender) => Fault;
}

/** Who sent a request, and to which repository. */
interface Sender {
  readonly repository: string;
  readonly authorization: string | undefined;
}

interface Session {
  readonly chunks: Buffer[];
  length: number;
  isLost: boolean;
  /** Locations of an earlier state are refused. */
  state: number;
}

export interface UploadRegistry extends AsyncDisposable {
  readonly origin: string;
  readonly host: string;
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, { type: string; bytes: Buffer }>;
  /** By the tag in the repository of the tests, elsewhere by `REPOSITORY:TAG`. */
  readonly tags: Map<string, string>;
  readonly sessions: Map<string, Session>;
  /** `METHOD path` without the repository and without queries, with the Content-Range if there is one. */
  readonly log: string[];
}

export async function startUploadRegistry(
  options: UploadRegistryOptions = {},
): Promise<UploadRegistry> {
  const registry = new Registry(options);
  await registry.listen();
  return registry;
}

interface Call {
  readonly method: string;
  readonly repository: string;
  readonly path: string;
  readonly url: URL;
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
}

class Registry implements UploadRegistry {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, { type: string; bytes: Buffer }>();
  readonly tags = new Map<string, string>();
  readonly sessions = new Map<string, Session>();
  readonly log: string[] = [];
  #ids = 0;
  readonly #options: UploadRegistryOptions;
  readonly #sockets = new Set<Socket>();
  readonly #server = http.createServer((request, response) => {
    this.#handle(request, response).catch(() => response.destroy());
  });

  constructor(options: UploadRegistryOptions) {
    this.#options = options;
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
    });
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get origin(): string {
    return `http://${this.host}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    request.on("error", () => {});
    const url = new URL(request.url!, this.origin);
    const [, repository = "", path = url.pathname] =
      /^\/v2\/(.+?)\/((?:blobs|manifests|referrers|tags)\/.*)$/.exec(url.pathname) ?? [];
    const method = request.method!;
    const range = request.headers["content-range"];
    this.log.push(
      `${method} ${path.replace(/uploads\/.*/, "uploads/")}${range ? ` ${range}` : ""}`,
    );
    const call = { method, repository, path, url, request, response };
    if (!this.#strike("before", call)) await this.#answer(call);
  }

  /** Whether the request ends here. */
  #strike(moment: Moment, { method, repository, path, request, response }: Call): boolean {
    const { authorization } = request.headers;
    const fault = this.#options.fault?.(moment, method, path, { repository, authorization });
    if (fault === undefined) return false;
    if (fault === "cut") {
      request.socket.destroy();
    } else {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
      request.resume();
    }
    return true;
  }

  async #answer(call: Call): Promise<void> {
    const { path } = call;
    const [, id] = /^blobs\/uploads\/(.*)$/.exec(path) ?? [];
    if (id === "") return this.#open(call);
    if (id !== undefined) return await this.#upload(call, id);
    if (path.startsWith("blobs/")) return this.#reply(call, this.blobs.get(path.slice(6)));
    if (path === "tags/list") return this.#list(call);
    if (path.startsWith("manifests/") && call.method === "DELETE") {
      return this.#delete(call, path.slice(10));
    }
    if (path.startsWith("manifests/")) return await this.#manifest(call, path.slice(10));
    this.#refuse(call, 404, "UNSUPPORTED");
  }

  #open(call: Call): void {
    const id = `${++this.#ids}`;
    this.sessions.set(id, { chunks: [], length: 0, isLost: false, state: 0 });
    this.#send(call, 202, { location: this.#location(call, id), range: "0-0" });
  }

  #location({ repository }: Call, id: string): string {
    return `/v2/${repository}/blobs/uploads/${id}?_state=${this.sessions.get(id)!.state}`;
  }

  async #upload(call: Call, id: string): Promise<void> {
    const { method, url } = call;
    const session = this.sessions.get(id);
    const isOld = this.#options.cuts === "lost" &&
      url.searchParams.get("_state") !== String(session?.state);
    if (session === undefined || session.isLost || isOld) {
      return this.#refuse(call, 404, "BLOB_UPLOAD_INVALID");
    }
    if (method === "PATCH") return await this.#patch(call, id, session);
    if (method === "PUT") return this.#close(call, id, session);
    if (method === "DELETE") this.sessions.delete(id);
    const range = `0-${Math.max(0, session.length - 1)}`;
    this.#send(call, 204, method === "DELETE" ? {} : { range, location: this.#location(call, id) });
  }

  async #patch(call: Call, id: string, session: Session): Promise<void> {
    const { request } = call;
    const start = Number(/^(\d+)-/.exec(request.headers["content-range"] ?? "")?.[1] ?? NaN);
    if (this.#options.cuts !== "lost" && start >= 0 && start !== session.length) {
      return this.#refuse(call, 416, "RANGE_INVALID");
    }
    const length = Number(request.headers["content-length"]);
    // Chunks are larger on a busy machine: a cut keeps the same number of bytes everywhere.
    const middle = Math.floor(length / 2) + 1;
    let received = 0;
    const take = (chunk: Buffer) => {
      session.chunks.push(chunk);
      session.length += chunk.length;
      received += chunk.length;
    };
    try {
      for await (const chunk of request) {
        const before = Math.max(0, middle - received);
        take(chunk.subarray(0, before));
        const isMiddle = before > 0 && received === middle && middle < length;
        if (isMiddle && this.#strike("middle", call)) break;
        take(chunk.subarray(before));
      }
    } catch {
      // The client, or the fault, has cut the connection.
    }
    if (received < length) {
      session.isLost = this.#options.cuts === "lost";
      return;
    }
    session.state++;
    if (this.#strike("after", call)) return;
    const range = `0-${session.length - 1}`;
    this.#send(call, 202, { location: this.#location(call, id), range });
  }

  #close(call: Call, id: string, session: Session): void {
    const digest = call.url.searchParams.get("digest")!;
    const bytes = Buffer.concat(session.chunks);
    if (digestOf(bytes, digest) !== digest) {
      return this.#refuse(call, 400, "DIGEST_INVALID");
    }
    this.blobs.set(digest, bytes);
    this.sessions.delete(id);
    if (!this.#strike("after", call)) this.#send(call, 201, {});
  }

  async #manifest(call: Call, name: string): Promise<void> {
    const { method, request, repository } = call;
    const tag = repository === TESTED ? name : `${repository}:${name}`;
    const digest = name.includes(":") ? name : this.tags.get(tag);
    if (method !== "PUT") {
      const known = this.manifests.get(digest ?? "");
      const headers = known && { "docker-content-digest": digest!, "content-type": known.type };
      return this.#reply(call, known?.bytes, headers);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const { config, layers = [], manifests = [], subject } = JSON.parse(bytes.toString());
    const isComplete = [config, ...layers].every((one) => !one || this.blobs.has(one.digest)) &&
      manifests.every((one: { digest: string }) => this.manifests.has(one.digest));
    if (!isComplete) return this.#refuse(call, 400, "MANIFEST_BLOB_UNKNOWN");
    const own = digestOf(bytes, digest ?? "sha256:");
    this.manifests.set(own, { type: request.headers["content-type"]!, bytes });
    if (!name.includes(":")) this.tags.set(tag, own);
    if (this.#strike("after", call)) return;
    const isListed = this.#options.referrers === true && subject !== undefined;
    const headers = isListed ? { "oci-subject": subject.digest } : {};
    this.#send(call, 201, { "docker-content-digest": own, ...headers });
  }

  #list(call: Call): void {
    const start = call.repository === TESTED ? "" : `${call.repository}:`;
    const tags = [...this.tags.keys()].filter((tag) =>
      start === "" ? !tag.includes(":") : tag.startsWith(start)
    ).map((tag) => tag.slice(start.length)).sort();
    const headers = { "content-type": "application/json" };
    this.#reply(call, Buffer.from(JSON.stringify({ name: call.repository, tags })), headers);
  }

  #delete(call: Call, name: string): void {
    const { deletes = "tags and manifests" } = this.#options;
    if (deletes === "nothing") return this.#refuse(call, 405, "UNSUPPORTED");
    const tag = call.repository === TESTED ? name : `${call.repository}:${name}`;
    if (!name.includes(":")) {
      if (deletes === "manifests") return this.#refuse(call, 400, "DIGEST_INVALID");
      if (!this.tags.delete(tag)) return this.#refuse(call, 404, "MANIFEST_UNKNOWN");
    } else {
      if (!this.manifests.delete(name)) return this.#refuse(call, 404, "MANIFEST_UNKNOWN");
      for (const [tag, digest] of this.tags) if (digest === name) this.tags.delete(tag);
    }
    this.#send(call, 202, {});
  }

  #reply(call: Call, bytes: Buffer | undefined, headers: Record<string, string> = {}): void {
    if (bytes === undefined) return this.#refuse(call, 404, "MANIFEST_UNKNOWN");
    call.response.writeHead(200, { ...headers, "content-length": bytes.length });
    call.response.end(call.method === "HEAD" ? undefined : bytes);
  }

  #send({ response }: Call, status: number, headers: Record<string, string>): void {
    response.writeHead(status, { ...headers, ...(status !== 204 && { "content-length": "0" }) })
      .end();
  }

  #refuse({ response }: Call, status: number, code: string): void {
    const body = JSON.stringify({ errors: [{ code, message: "said the test" }] });
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  }
}

function digestOf(bytes: Buffer, like: string): string {
  const algorithm = like.split(":")[0]!;
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}
