/** Sends HTTP requests to an engine's API, over its Unix socket or over TCP. */

import { Buffer } from "node:buffer";
import * as http from "node:http";
import * as https from "node:https";
import type { Writable } from "node:stream";
import { abortedError, DenrootError, messageOf, systemCode, throwIfAborted } from "../../errors.ts";
import { isObject } from "../../oci/json_fields.ts";
import { plainText } from "../../text/quote_text.ts";
import { type Endpoint, formatEndpoint, type TcpEndpoint, type UnixEndpoint } from "./endpoint.ts";

/** The longest JSON answer that is read, in bytes. A description of an image has a few kilobytes. */
const ANSWER_LIMIT = 16 * 1024 * 1024;
/** How many bytes of an error's body are read. */
const ERROR_LIMIT = 64 * 1024;
/** How many bytes at the end of a stream are kept: Docker appends an error to them. */
const TAIL = 4096;

/** No engine answers at an endpoint; `message` says why. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
  /** Whether an engine may be there that this user may not use. */
  readonly isDenied: boolean;

  constructor(message: string, options: { readonly isDenied?: boolean; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.isDenied = options.isDenied ?? false;
  }
}

/** The versions of the API that an engine offers. */
export interface EngineVersions {
  /** The latest version of Docker's API that the engine has: `1.41`. */
  readonly api: string;
  /** The version of podman's own API; absent for other engines. */
  readonly libpod?: string;
}

export class EngineClient {
  readonly #endpoint: UnixEndpoint | TcpEndpoint;
  readonly #agent: http.Agent;

  constructor(endpoint: UnixEndpoint | TcpEndpoint) {
    this.#endpoint = endpoint;
    // Proxies are for the web and not for engines: the environment's proxies are not used.
    const options = { keepAlive: false, proxyEnv: {} };
    this.#agent = isSecure(endpoint) ? new https.Agent(options) : new http.Agent(options);
  }

  /** Throws {@link UnreachableError} when no engine answers within `timeoutMs` (0 for no limit). */
  async ping(timeoutMs: number, signal: AbortSignal): Promise<EngineVersions> {
    const deadline = new AbortController();
    const timer = timeoutMs > 0 ? setTimeout(() => deadline.abort(), timeoutMs) : undefined;
    try {
      const response = await this.#request("/_ping", AbortSignal.any([signal, deadline.signal]));
      const text = plainText((await readStart(response, ERROR_LIMIT)).trim(), 200);
      const { "api-version": api, "libpod-api-version": libpod } = response.headers;
      if (typeof api !== "string" || !/^\d{1,3}\.\d{1,4}$/.test(api)) {
        const answer = `${response.statusCode} ${text}`;
        throw new UnreachableError(`the answer is not an engine's: ${answer}`, {});
      }
      const isVersion = typeof libpod === "string" && /^\d[\w.-]{0,40}$/.test(libpod);
      return { api, ...(isVersion && { libpod }) };
    } catch (cause) {
      throwIfAborted(signal);
      if (cause instanceof UnreachableError) throw cause;
      if (deadline.signal.aborted) {
        const message = `there was no answer within ${timeoutMs / 1000} seconds`;
        throw new UnreachableError(message, { cause });
      }
      throw unreachable(cause);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Gives an answer that is JSON. Throws what {@link stream} throws, `limit` for an answer that is too
   * long, and `registry` for one that is not JSON.
   */
  async json(path: string, signal: AbortSignal): Promise<unknown> {
    const bytes: Buffer[] = [];
    let length = 0;
    for await (const chunk of this.stream(path, signal)) {
      length += chunk.length;
      if (length > ANSWER_LIMIT) {
        throw this.#failure("limit", `answered with more than ${ANSWER_LIMIT} bytes`);
      }
      bytes.push(Buffer.from(chunk));
    }
    try {
      return JSON.parse(Buffer.concat(bytes).toString("utf8"));
    } catch (cause) {
      throw this.#failure("registry", "gave an answer that is not JSON", cause);
    }
  }

  /**
   * Yields an answer's bytes as they arrive. Throws code `not_found` or `registry` with the engine's
   * own message, before the first byte or after the last; `network` when the connection is lost.
   */
  async *stream(path: string, signal: AbortSignal): AsyncIterableIterator<Uint8Array> {
    let tail: Uint8Array = Buffer.alloc(0);
    let isComplete = false;
    try {
      const response = await this.#request(path, signal);
      if (response.statusCode !== 200) throw await this.#refusal(response);
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        yield chunk;
        tail = chunk.length < TAIL ? Buffer.concat([tail, chunk]).subarray(-TAIL) : chunk;
      }
      isComplete = response.complete;
    } catch (cause) {
      throwIfAborted(signal);
      if (cause instanceof DenrootError) throw cause;
      throw this.#cut(cause);
    }
    throwIfAborted(signal);
    if (!isComplete) throw this.#cut();
    const told = lateError(tail.subarray(-TAIL));
    if (told !== undefined) {
      throw this.#failure("registry", `ended the transfer with an error: ${told}`);
    }
  }

  /**
   * Begins a POST whose body is written piece by piece. `answer` is the whole answer as text. It rejects
   * with code `registry` and the engine's own message, also for an error that comes with status 200,
   * and with code `network` when the connection is lost.
   */
  post(path: string, signal: AbortSignal): EnginePost {
    const request = this.#start(path, signal, { method: "POST", type: "application/x-tar" });
    return { body: request, answer: this.#answerOf(request, signal) };
  }

  async #answerOf(request: http.ClientRequest, signal: AbortSignal): Promise<string> {
    try {
      const response = await responseTo(request);
      if (response.statusCode !== 200) throw await this.#refusal(response);
      const text = await readStart(response, ANSWER_LIMIT);
      const told = lateError(Buffer.from(text));
      if (told !== undefined) throw this.#failure("registry", `refused the image: ${told}`);
      return text;
    } catch (cause) {
      throwIfAborted(signal);
      throw cause instanceof DenrootError ? cause : this.#cut(cause);
    }
  }

  #request(path: string, signal: AbortSignal): Promise<http.IncomingMessage> {
    throwIfAborted(signal);
    const request = this.#start(path, signal, { method: "GET" });
    request.end();
    return responseTo(request);
  }

  #start(
    path: string,
    signal: AbortSignal,
    { method, type }: { readonly method: string; readonly type?: string },
  ): http.ClientRequest {
    const { request: start } = isSecure(this.#endpoint) ? https : http;
    const headers = {
      host: hostHeader(this.#endpoint),
      "user-agent": "denroot",
      ...(type !== undefined && { "content-type": type }),
    };
    const request = start({ ...target(this.#endpoint), path, method, agent: this.#agent, headers });
    const stop = () => request.destroy(abortedError(signal));
    signal.addEventListener("abort", stop, { once: true });
    request.on("close", () => signal.removeEventListener("abort", stop));
    return request;
  }

  async #refusal(response: http.IncomingMessage): Promise<DenrootError> {
    const text = await readStart(response, ERROR_LIMIT);
    const status = response.statusCode ?? 0;
    const said = plainText(messageIn(text) ?? text.trim(), 500);
    return this.#failure(status === 404 ? "not_found" : "registry", `answered ${status}: ${said}`);
  }

  #cut(cause?: unknown): DenrootError {
    return this.#failure("network", "closed the connection during the transfer", cause);
  }

  #failure(code: DenrootError["code"], what: string, cause?: unknown): DenrootError {
    return new DenrootError(code, `The engine at ${formatEndpoint(this.#endpoint)} ${what}`, {
      cause,
    });
  }
}

/** A request whose body is on its way. */
export interface EnginePost {
  readonly body: Writable;
  readonly answer: Promise<string>;
}

function responseTo(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", resolve);
  });
}

/** Gives the path `/images/NAME/ACTION` for the name of an image as a user writes it. */
export function imagePath(prefix: string, image: string, action: string): string {
  const name = encodeURIComponent(image).replace(/%(2F|3A|40)/g, decodeURIComponent);
  return `${prefix}/images/${name}/${action}`;
}

function isSecure(endpoint: Endpoint): boolean {
  return endpoint.type === "tcp" && endpoint.tls !== undefined;
}

/** Over TLS the server's certificate is compared with it. */
function hostHeader(endpoint: UnixEndpoint | TcpEndpoint): string {
  if (endpoint.type === "unix") return "engine";
  const { host, port } = endpoint;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function target(endpoint: UnixEndpoint | TcpEndpoint): https.RequestOptions {
  if (endpoint.type === "unix") return { socketPath: endpoint.path };
  const { host, port, tls } = endpoint;
  if (tls === undefined) return { host, port };
  const { verify, ...material } = tls;
  return { host, port, ...material, rejectUnauthorized: verify };
}

async function readStart(response: http.IncomingMessage, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit).toString("utf8");
}

/** An error of Docker's is `{"message": …}`; podman adds a cause and a number. */
function messageIn(text: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return isObject(answer) && typeof answer["message"] === "string"
      ? answer["message"]
      : undefined;
  } catch {
    return undefined;
  }
}

/** When dockerd has already sent a part of an archive, it can only append an error to it. */
function lateError(tail: Uint8Array): string | undefined {
  const match = /\{"errorDetail":\{[^\0]*\}\s*$/.exec(Buffer.from(tail).toString("utf8"));
  if (match === null) return undefined;
  const told = /"error":"((?:[^"\\]|\\.)*)"/.exec(match[0])?.[1];
  return plainText(told ?? match[0], 500);
}

function unreachable(cause: unknown): UnreachableError {
  const code = systemCode(cause);
  const isDenied = code === "EACCES" || code === "EPERM";
  const meaning = MEANINGS[code] ?? plainText(messageOf(cause), 300);
  return new UnreachableError(meaning, { isDenied, cause });
}

const MEANINGS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  ENOTDIR: "there is no such socket",
  ECONNREFUSED: "no program listens there",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ECONNRESET: "the connection was closed",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the name server did not answer",
  EHOSTUNREACH: "there is no route to the host",
  ETIMEDOUT: "the connection timed out",
};
