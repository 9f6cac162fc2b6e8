/** A registry that plays a written dialogue: each request is compared, each answer is data. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as net from "node:net";
import * as tls from "node:tls";

export interface Answer {
  /** 200 unless set. */
  readonly status?: number;
  /** `{origin}` in a value becomes this server's origin; a list is sent as several headers. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
  /** Content-Length; the body's length unless set. Null sends none: the connection's end ends the body. */
  readonly announced?: number | null | undefined;
  /** The connection is cut when this much of the body is sent. */
  readonly cutAfter?: number;
  /** Nothing more is sent after this much of the body, and the connection stays. */
  readonly stallAfter?: number;
  /** The connection is cut instead of any answer. */
  readonly hangUp?: boolean;
  /** How long the server waits before it answers. */
  readonly delayMs?: number;
}

interface Step {
  /** `GET /v2/a/b/manifests/latest`, query included. */
  readonly request: string;
  /** What the request's headers must be, or match; null where there must be none. */
  readonly sent?: Readonly<Record<string, string | RegExp | null>>;
  readonly sentBody?: string | RegExp;
  readonly answer: Answer;
}

export interface ReceivedRequest {
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers by request instead of by order, for requests that may come in any order. */
export type Respond = (request: ReceivedRequest) => Answer | Promise<Answer>;

export interface FakeRegistryOptions {
  /** With `ca` and `requestCert` clients have to show a certificate. */
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    readonly ca?: string;
    readonly requestCert?: boolean;
    readonly rejectUnauthorized?: boolean;
  };
  /** The server's name in URLs; it listens on 127.0.0.1. */
  readonly host?: string;
}

/**
 * Disposing of it fails the test unless every step of the script was asked for, in order, and nothing
 * else.
 */
export interface FakeRegistry extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly requests: readonly ReceivedRequest[];
  /** Connections open now, and at most so far. */
  readonly connections: { readonly open: number; readonly most: number; readonly all: number };
  /** Body bytes given to sockets so far. */
  readonly bytesWritten: number;
}

export async function startFakeRegistry(
  script: readonly Step[] | Respond,
  options: FakeRegistryOptions = {},
): Promise<FakeRegistry> {
  const server = new Server(script, options);
  await server.listen();
  return server;
}

class Server implements FakeRegistry {
  readonly requests: ReceivedRequest[] = [];
  readonly connections = { open: 0, most: 0, all: 0 };
  bytesWritten = 0;
  readonly #script: readonly Step[] | Respond;
  readonly #options: FakeRegistryOptions;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #problems: string[] = [];
  #next = 0;

  constructor(script: readonly Step[] | Respond, options: FakeRegistryOptions) {
    this.#script = script;
    this.#options = options;
    const accept = (socket: net.Socket) => this.#accept(socket);
    this.#server = options.tls ? tls.createServer(options.tls, accept) : net.createServer(accept);
    // Some tests want a client that refuses our certificate.
    this.#server.on("tlsClientError", () => {});
  }

  get host(): string {
    const { port } = this.#server.address() as net.AddressInfo;
    return `${this.#options.host ?? "127.0.0.1"}:${port}`;
  }

  get origin(): string {
    return `${this.#options.tls ? "https" : "http"}://${this.host}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    assert.deepEqual(this.#problems, []);
    if (typeof this.#script === "function") return;
    const missing = this.#script.slice(this.#next).map((step) => step.request);
    assert.deepEqual(missing, [], "these requests were expected and never came");
  }

  #accept(socket: net.Socket): void {
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    const { connections } = this;
    connections.all++;
    connections.most = Math.max(connections.most, ++connections.open);
    let received = Buffer.alloc(0);
    let isAnswering = Promise.resolve();
    socket.on("data", (chunk: Buffer) => {
      // A TLS greeting on a plain server.
      if (chunk[0] === 0x16 && !this.#options.tls) {
        return void socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
      }
      received = Buffer.concat([received, chunk]);
      for (;;) {
        const taken = takeRequest(received);
        if (taken === undefined) return;
        received = taken.rest;
        isAnswering = isAnswering.then(() => this.#play(taken.request, socket));
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      connections.open--;
      this.#sockets.delete(socket);
    });
  }

  async #play(request: ReceivedRequest, socket: net.Socket): Promise<void> {
    this.requests.push(request);
    const answer = typeof this.#script === "function"
      ? await this.#script(request)
      : this.#nextAnswer(this.#script, request);
    if (answer.delayMs) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
    await this.#send(answer, request, socket);
  }

  #nextAnswer(steps: readonly Step[], request: ReceivedRequest): Answer {
    const step = steps[this.#next];
    const problem = step === undefined
      ? `not expected: ${request.line}`
      : compare(step, request, (text) => this.#fill(text));
    if (problem !== undefined) {
      this.#problems.push(problem);
      return { status: 418, body: problem };
    }
    this.#next++;
    return step!.answer;
  }

  async #send(answer: Answer, request: ReceivedRequest, socket: net.Socket): Promise<void> {
    if (answer.hangUp) return void socket.destroy();
    const body = toBuffer(answer.body ?? "");
    const announced = answer.announced === undefined ? body.length : answer.announced;
    const lines = [`HTTP/1.1 ${answer.status ?? 200} Whatever`];
    for (const [name, value] of Object.entries(answer.headers ?? {})) {
      for (const one of [value].flat()) lines.push(`${name}: ${this.#fill(one)}`);
    }
    lines.push(announced === null ? "Connection: close" : `Content-Length: ${announced}`);
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    if (request.line.startsWith("HEAD ")) return;
    const end = answer.cutAfter ?? answer.stallAfter ?? body.length;
    await this.#write(socket, body.subarray(0, end));
    // end(), not destroy(): the bytes before the cut are to arrive.
    if (answer.cutAfter !== undefined || announced === null) socket.end();
  }

  async #write(socket: net.Socket, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length && !socket.destroyed; at += 65536) {
      const piece = bytes.subarray(at, at + 65536);
      this.bytesWritten += piece.length;
      if (socket.write(piece)) continue;
      await new Promise<void>((resolve) => {
        const done = () => {
          socket.off("drain", done).off("close", done);
          resolve();
        };
        socket.on("drain", done).on("close", done);
      });
    }
  }

  #fill(text: string): string {
    return text.replaceAll("{origin}", this.origin).replaceAll("{host}", this.host);
  }
}

/** Copies nothing when the value is bytes already. */
function toBuffer(body: string | Uint8Array): Buffer {
  if (typeof body === "string") return Buffer.from(body);
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function takeRequest(
  bytes: Buffer,
): { request: ReceivedRequest; rest: Buffer<ArrayBuffer> } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [line = "", ...fields] = bytes.subarray(0, headEnd).toString("latin1").split("\r\n");
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const colon = field.indexOf(":");
    headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
  }
  const bodyEnd = headEnd + 4 + Number(headers["content-length"] ?? 0);
  if (bytes.length < bodyEnd) return undefined;
  const body = bytes.subarray(headEnd + 4, bodyEnd).toString("utf8");
  const request = { line: line.replace(/ HTTP\/1\.1$/, ""), headers, body };
  return { request, rest: Buffer.from(bytes.subarray(bodyEnd)) };
}

function compare(
  step: Step,
  request: ReceivedRequest,
  fill: (text: string) => string,
): string | undefined {
  if (request.line !== fill(step.request)) return `${request.line} instead of ${step.request}`;
  for (const [name, wanted] of Object.entries(step.sent ?? {})) {
    const value = request.headers[name.toLowerCase()];
    if (!isAsWanted(value, wanted)) return `${step.request}: ${name} is ${value}, not ${wanted}`;
  }
  if (step.sentBody !== undefined && !isAsWanted(request.body, step.sentBody)) {
    return `${step.request}: the body is ${request.body}, not ${step.sentBody}`;
  }
  return undefined;
}

function isAsWanted(value: string | undefined, wanted: string | RegExp | null): boolean {
  if (wanted === null) return value === undefined;
  if (value === undefined) return false;
  return typeof wanted === "string" ? value === wanted : wanted.test(value);
}
