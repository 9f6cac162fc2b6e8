/** One request on one connection, and its answer: sending, time limits, abort, errors in words. */

import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import type { Settings } from "../config/settings.ts";
import { abortedError, systemCode } from "../errors.ts";
import type { Route } from "./agents.ts";
import type { HttpRequest, HttpResponse } from "./client.ts";
import type { HttpLimits } from "./limits.ts";
import { requestHeaders, toHttpResponse } from "./message_headers.ts";
import { ResponseBody, stalledError } from "./response_body.ts";
import { StreamedBody } from "./streamed_body.ts";
import { connectionError, TransferError } from "./transfer_error.ts";

export interface ExchangeContext {
  readonly settings: Settings;
  readonly limits: HttpLimits;
  /** Called when an answer has ended. A failure before the answer is the caller's to count. */
  readonly release: () => void;
}

export class Exchange {
  /** Whether a kept connection failed before the first byte of an answer. */
  wasSocketStale = false;
  readonly #request: HttpRequest;
  readonly #route: Route;
  readonly #context: ExchangeContext;
  readonly #outgoing: http.ClientRequest;
  readonly #answer = Promise.withResolvers<HttpResponse>();
  readonly #connected = Promise.withResolvers<void>();
  #answerBody: ResponseBody | undefined;
  #isSocketReused = false;
  /** Whether nothing more is to be sent: all was sent, an answer came, or the exchange failed. */
  #isSendingOver = false;
  /** The time limit for what is waited for now: the connection, the server's reading, the answer. */
  #phaseTimer: ReturnType<typeof setTimeout> | undefined;
  #totalTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(request: HttpRequest, route: Route, context: ExchangeContext) {
    this.#request = request;
    this.#route = route;
    this.#context = context;
    const { method, url } = request;
    const { request: start } = url.protocol === "https:" ? https : http;
    const headers = requestHeaders(request);
    try {
      this.#outgoing = start(url, { method, agent: route.agent, headers });
    } catch (error) {
      // Deno takes no address for the host of an https:// proxy.
      throw connectionError(error, url, route.proxy);
    }
  }

  send(): Promise<HttpResponse> {
    const { signal } = this.#request;
    signal.addEventListener("abort", this.#abort, { once: true });
    this.#outgoing.on("response", (incoming) => this.#receive(incoming));
    this.#outgoing.on("error", (error) => this.#connectionFailed(error));
    this.#outgoing.on("socket", (socket) => this.#useSocket(socket));
    this.#startTimers();
    this.#sendBody().catch((error) => {
      // The rest of a body that nobody wants any more may fail.
      if (!this.#isSendingOver) this.#fail(error);
    });
    return this.#answer.promise;
  }

  async #sendBody(): Promise<void> {
    const { body } = this.#request;
    if (body instanceof StreamedBody) {
      this.#outgoing.flushHeaders();
      await this.#connected.promise;
      await this.#stream(body);
      if (!this.#isSendingOver) this.#outgoing.end();
    } else {
      this.#outgoing.end(body);
      await this.#connected.promise;
    }
    if (this.#isSendingOver) return;
    this.#isSendingOver = true;
    this.#limitPhase(this.#request.answerTimeoutMs);
  }

  /** As fast as the server takes it, and no further than to the server's answer. */
  async #stream(body: StreamedBody): Promise<void> {
    clearTimeout(this.#phaseTimer);
    while (!this.#isSendingOver) {
      const chunk = await body.peek();
      // Where nothing was taken the chunk stays: the body can still be sent with another request.
      if (chunk === undefined || this.#isSendingOver) return;
      body.take();
      if (!this.#outgoing.write(chunk)) await this.#drained();
    }
  }

  /** Only the server's time counts: the source of a body may take as long as it likes. */
  async #drained(): Promise<void> {
    this.#limitPhase();
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#outgoing.off("drain", done).off("close", done).off("response", done);
        resolve();
      };
      this.#outgoing.on("drain", done).on("close", done).on("response", done);
    });
    if (!this.#isSendingOver) clearTimeout(this.#phaseTimer);
  }

  #receive(incoming: http.IncomingMessage): void {
    const { url } = this.#request;
    const { limits } = this.#context;
    clearTimeout(this.#phaseTimer);
    this.#stopSending();
    this.#answerBody = new ResponseBody(incoming, {
      url,
      stallTimeoutMs: limits.stallTimeoutMs,
      bufferedBytes: limits.bufferedBytes,
      onClose: () => this.#end(),
    });
    this.#answer.resolve(toHttpResponse(this.#request, incoming, this.#answerBody));
  }

  #end(): void {
    this.#settle();
    // The server still waits for the rest of the body: no other request can use the connection.
    if (!this.#outgoing.writableFinished) this.#outgoing.destroy();
    this.#context.release();
  }

  #connectionFailed(error: Error): void {
    const { url } = this.#request;
    const body = this.#answerBody;
    if (body === undefined) {
      this.wasSocketStale = this.#isSocketReused && isReset(error);
      return this.#fail(connectionError(error, url, this.#route.proxy));
    }
    // The parser reports bytes after the end of the answer by this code.
    const isSurplus = /^HPE_/.test(systemCode(error));
    // Nothing happens where the answer is complete: a server may close without reading on.
    body.destroy(isSurplus ? surplusError(url) : connectionError(error, url));
  }

  readonly #abort = () => this.#fail(abortedError(this.#request.signal));

  #fail(error: unknown): void {
    if (this.#answerBody !== undefined) return this.#answerBody.destroy(error);
    this.#settle();
    this.#stopSending();
    this.#outgoing.destroy();
    this.#connected.resolve();
    this.#answer.reject(error);
  }

  #stopSending(): void {
    this.#isSendingOver = true;
    const { body } = this.#request;
    if (body instanceof StreamedBody && body.isStarted) body.close();
  }

  #settle(): void {
    clearTimeout(this.#phaseTimer);
    clearTimeout(this.#totalTimer);
    this.#request.signal.removeEventListener("abort", this.#abort);
  }

  /** One limit is for everything; the first of the phases is to connect. */
  #startTimers(): void {
    const { url } = this.#request;
    const { connectTimeoutMs, transferTimeoutMs } = this.#context.settings;
    if (transferTimeoutMs > 0) {
      const tooSlow = () => this.#fail(tooSlowError(url, transferTimeoutMs));
      this.#totalTimer = setTimeout(tooSlow, transferTimeoutMs);
    }
    if (connectTimeoutMs > 0) {
      const tooLate = () => this.#fail(connectTimeoutError(url, connectTimeoutMs));
      this.#phaseTimer = setTimeout(tooLate, connectTimeoutMs);
    }
  }

  #useSocket(socket: Socket): void {
    this.#isSocketReused = this.#outgoing.reusedSocket;
    // Deno would send any request again on its own, a POST too, when a reused connection fails.
    this.#outgoing.reusedSocket = false;
    const isSecure = this.#request.url.protocol === "https:";
    const { resolve } = this.#connected;
    if (!socket.connecting) resolve();
    else socket.once(isSecure ? "secureConnect" : "connect", resolve);
  }

  /** The server has to do something now: to read on, or to answer. */
  #limitPhase(limitMs = this.#context.limits.stallTimeoutMs): void {
    const { url } = this.#request;
    clearTimeout(this.#phaseTimer);
    const stalled = () => this.#fail(stalledError(url, limitMs));
    this.#phaseTimer = setTimeout(stalled, limitMs);
  }
}

function isReset(error: Error): boolean {
  return ["ECONNRESET", "EPIPE", "ECONNABORTED"].includes(systemCode(error));
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
