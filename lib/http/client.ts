/** One HTTP exchange: agents, proxies, certificates, time-outs. No redirects, retries or tokens. */

import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import type { Settings } from "../config/settings.ts";
import type { OnProgress } from "../types/progress.ts";
import { abortedError, throwIfAborted } from "../errors.ts";
import { chooseProxy } from "./proxy.ts";
import type { HttpLimits } from "./limits.ts";
import { ResponseBody, stalledError } from "./response_body.ts";
import { Semaphore } from "./semaphore.ts";
import { connectionError, TransferError } from "./transfer_error.ts";
import { HostCertificates } from "./host_certificates.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Any certificate of the server's will do. */
  readonly isUnverified?: boolean;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  /** Where it came from: no redirect has been followed. */
  readonly url: URL;
  readonly status: number;
  /** The first value of a header, in any case of its name. */
  header(name: string): string | undefined;
  /** All values of a header that may come several times. */
  headers(name: string): readonly string[];
  /** Must be read to its end or destroyed: it holds one of the connections. */
  readonly body: ResponseBody;
}

export interface HttpClient {
  /** Resolves with the headers, whatever the status. Throws `TransferError`. */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

/** A client that has at most `settings.maxConnections` exchanges open, their bodies included. */
export function createHttpClient(
  settings: Settings,
  limits: HttpLimits,
  onProgress?: OnProgress,
): HttpClient {
  const semaphore = new Semaphore(settings.maxConnections);
  const agents = new AgentPool(settings, onProgress);
  return {
    async send(request) {
      const release = await semaphore.acquire(request.signal);
      try {
        return await sendOnFreshSocket(request, agents, settings, limits, release);
      } catch (error) {
        release();
        throw error;
      }
    },
    close: () => agents.close(),
  };
}

/** A kept-alive connection that the server gave up meanwhile is no failure: once more, on another. */
async function sendOnFreshSocket(
  request: HttpRequest,
  agents: AgentPool,
  settings: Settings,
  limits: HttpLimits,
  release: () => void,
): Promise<HttpResponse> {
  // Bounded: each round removes one idle connection of the pool, and there are not more.
  for (let round = settings.maxConnections;; round--) {
    const route = await agents.routeFor(request);
    throwIfAborted(request.signal);
    const exchange = new Exchange(request, settings, limits, release);
    try {
      return await exchange.send(route);
    } catch (error) {
      if (!exchange.wasSocketStale || round <= 0) throw error;
    }
  }
}

class Exchange {
  /** Whether the failure was that of a reused connection before any byte of an answer. */
  wasSocketStale = false;
  readonly #request: HttpRequest;
  readonly #settings: Settings;
  readonly #limits: HttpLimits;
  readonly #release: () => void;
  #phaseTimer: ReturnType<typeof setTimeout> | undefined;
  #totalTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    request: HttpRequest,
    settings: Settings,
    limits: HttpLimits,
    release: () => void,
  ) {
    this.#request = request;
    this.#settings = settings;
    this.#limits = limits;
    this.#release = release;
  }

  send({ agent, proxy }: Route): Promise<HttpResponse> {
    const { url, method, headers, body, signal } = this.#request;
    return new Promise((resolve, reject) => {
      const { request: start } = url.protocol === "https:" ? https : http;
      const request = start(url, { method, agent, headers: { ...DEFAULT_HEADERS, ...headers } });
      let responseBody: ResponseBody | undefined;
      const fail = (error: unknown) => {
        if (responseBody !== undefined) return responseBody.destroy(error);
        this.#settle(stop);
        request.destroy();
        reject(error);
      };
      const stop = () => fail(abortedError(signal));
      signal.addEventListener("abort", stop, { once: true });
      this.#startTimers(request, fail);
      request.on("error", (error) => {
        if (responseBody !== undefined) return this.#lateError(responseBody, error);
        this.wasSocketStale = request.reusedSocket && isReset(error);
        fail(connectionError(error, url, proxy));
      });
      request.on("response", (response) => {
        clearTimeout(this.#phaseTimer);
        responseBody = new ResponseBody(response, {
          url,
          stallTimeoutMs: this.#limits.stallTimeoutMs,
          bufferedBytes: this.#limits.bufferedBytes,
          onClose: () => {
            this.#settle(stop);
            this.#release();
          },
        });
        resolve(toHttpResponse(url, response, responseBody));
      });
      request.end(body);
    });
  }

  /** First the time to connect, then the time to the answer; beside both the time for all. */
  #startTimers(request: http.ClientRequest, fail: (error: unknown) => void): void {
    const { connectTimeoutMs, transferTimeoutMs } = this.#settings;
    const { url } = this.#request;
    const { stallTimeoutMs } = this.#limits;
    if (transferTimeoutMs > 0) {
      this.#totalTimer = setTimeout(
        () => fail(tooSlowError(url, transferTimeoutMs)),
        transferTimeoutMs,
      );
    }
    if (connectTimeoutMs > 0) {
      this.#phaseTimer = setTimeout(
        () => fail(connectTimeoutError(url, connectTimeoutMs)),
        connectTimeoutMs,
      );
    }
    const connected = () => {
      clearTimeout(this.#phaseTimer);
      this.#phaseTimer = setTimeout(() => fail(stalledError(url, stallTimeoutMs)), stallTimeoutMs);
    };
    request.on("socket", (socket: Socket) => {
      if (!socket.connecting) connected();
      else socket.once(url.protocol === "https:" ? "secureConnect" : "connect", connected);
    });
  }

  /** The parser found bytes after the body's end, or the connection broke: the body knows. */
  #lateError(body: ResponseBody, error: Error): void {
    const isSurplus = /^HPE_/.test(String((error as { code?: unknown }).code));
    body.destroy(
      isSurplus ? surplusError(this.#request.url) : connectionError(error, this.#request.url),
    );
  }

  #settle(stop: () => void): void {
    clearTimeout(this.#phaseTimer);
    clearTimeout(this.#totalTimer);
    this.#request.signal.removeEventListener("abort", stop);
  }
}

/** Bodies are taken as stored: nothing is decoded here, and nothing need be encoded for us. */
const DEFAULT_HEADERS = { "user-agent": "denroot", "accept-encoding": "identity" };

/** How a host is reached. */
interface Route {
  readonly agent: http.Agent;
  readonly proxy?: URL;
}

/** Keep-alive agents: one for each host, by protocol and proxy. */
class AgentPool {
  readonly #settings: Settings;
  readonly #routes = new Map<string, Route>();
  readonly #certificates: HostCertificates;

  constructor(settings: Settings, onProgress: OnProgress | undefined) {
    this.#settings = settings;
    this.#certificates = new HostCertificates(settings, onProgress);
  }

  async routeFor({ url, isUnverified }: HttpRequest): Promise<Route> {
    const proxy = chooseProxy(url, this.#settings.proxy);
    const key = `${url.origin} ${proxy?.href ?? "direct"} ${isUnverified ?? false}`;
    const known = this.#routes.get(key);
    if (known !== undefined) return known;
    const isSecure = url.protocol === "https:";
    const certificates = isSecure ? await this.#certificates.of(url) : {};
    // Always given: the runtime's own reading of the variables knows no CIDRs.
    const proxyEnv = proxy === undefined ? {} : { http_proxy: proxy.href, https_proxy: proxy.href };
    const options = {
      keepAlive: true,
      proxyEnv,
      ...certificates,
      ...(isUnverified && { rejectUnauthorized: false }),
    };
    const agent = isSecure ? new https.Agent(options) : new http.Agent(options);
    // Another request may have come here while the certificates were read.
    const route = this.#routes.get(key) ?? { agent, ...(proxy && { proxy }) };
    this.#routes.set(key, route);
    return route;
  }

  close(): void {
    for (const { agent } of this.#routes.values()) agent.destroy();
    this.#routes.clear();
  }
}

function toHttpResponse(
  url: URL,
  response: http.IncomingMessage,
  body: ResponseBody,
): HttpResponse {
  const values = new Map<string, string[]>();
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    const name = response.rawHeaders[i]!.toLowerCase();
    const value = response.rawHeaders[i + 1]!;
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return {
    url,
    status: response.statusCode ?? 0,
    header: (name) => values.get(name.toLowerCase())?.[0],
    headers: (name) => values.get(name.toLowerCase()) ?? [],
    body,
  };
}

function isReset(error: Error): boolean {
  return /^(ECONNRESET|EPIPE|ECONNABORTED)$/.test(String((error as { code?: unknown }).code));
}

function connectTimeoutError(url: URL, timeoutMs: number): TransferError {
  return new TransferError(
    "network",
    `No connection to ${url.host} within ${timeoutMs / 1000} seconds`,
    { transient: true, hint: "ENROOT_CONNECT_TIMEOUT sets the time" },
  );
}

function tooSlowError(url: URL, timeoutMs: number): TransferError {
  return new TransferError(
    "network",
    `The transfer from ${url.host} took more than ${timeoutMs / 1000} seconds`,
    { transient: true, hint: "ENROOT_TRANSFER_TIMEOUT sets the time" },
  );
}

function surplusError(url: URL): TransferError {
  return new TransferError("network", `${url.host} sent more bytes than it announced`, {
    transient: true,
  });
}
