/** Sends HTTP requests. It follows no redirects, answers no challenges and repeats no failures. */

import type { Settings } from "../config/settings.ts";
import { throwIfAborted } from "../errors.ts";
import type { OnProgress } from "../types/progress.ts";
import { AgentPool } from "./agents.ts";
import { explainDates } from "./certificate_dates.ts";
import { Exchange, type ExchangeContext } from "./exchange.ts";
import type { HttpLimits } from "./limits.ts";
import { chooseProxy } from "./proxy.ts";
import type { ResponseBody } from "./response_body.ts";
import { Semaphore } from "./semaphore.ts";
import { StreamedBody } from "./streamed_body.ts";

export type HttpMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface HttpRequest {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** The client adds the Content-Length. */
  readonly body?: RequestBody | undefined;
  /**
   * How long the server may be silent once the request was sent, where that is not the limit for
   * stalls: it may have much to do before it answers.
   */
  readonly answerTimeoutMs?: number | undefined;
  /** Accepts any certificate of the server. */
  readonly isUnverified?: boolean;
  readonly signal: AbortSignal;
}

/** A text is sent as UTF-8. */
export type RequestBody = string | Uint8Array | StreamedBody;

export interface HttpResponse {
  /** The request's URL: no redirect was followed. */
  readonly url: URL;
  readonly status: number;
  /** The first value of a header; the case of `name` does not matter. */
  header(name: string): string | undefined;
  /** All values of a header that may come several times. */
  headers(name: string): readonly string[];
  /** What of the request must not be shown, should the answer quote it. */
  readonly secrets: readonly string[];
  /** Read it to its end or destroy it: until then it occupies a connection. */
  readonly body: ResponseBody;
}

export interface HttpClient {
  /**
   * Resolves with the headers of the answer, whatever its status is. A server may answer before it
   * has read a streamed body: the rest of that body is then not sent.
   *
   * Throws `TransferError`; code `aborted`; a streamed body's own error; `TypeError` for a streamed
   * body of another length, or one that was sent in part before.
   */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

/** At most `settings.maxConnections` exchanges are open at once, with their answers' bodies. */
export function createHttpClient(
  settings: Settings,
  limits: HttpLimits,
  onProgress?: OnProgress,
): HttpClient {
  const semaphore = new Semaphore(settings.maxConnections);
  const agents = new AgentPool(settings, onProgress);
  return {
    async send(request) {
      if (request.body instanceof StreamedBody && request.body.isStarted) {
        throw new TypeError("A part of this body was sent already");
      }
      const release = await semaphore.acquire(request.signal);
      try {
        return await sendOnFreshSocket(request, agents, { settings, limits, release });
      } catch (error) {
        release();
        // What only a proxy reaches is not asked.
        const isDirect = chooseProxy(request.url, settings.proxy) === undefined;
        throw isDirect ? await explainDates(error, request) : error;
      }
    },
    close: () => agents.close(),
  };
}

/**
 * A server may close a kept connection just when a request is sent on it. That is no failure: the
 * request goes out once more, on another connection, where the server cannot have acted on it.
 */
async function sendOnFreshSocket(
  request: HttpRequest,
  agents: AgentPool,
  context: ExchangeContext,
): Promise<HttpResponse> {
  // Each round removes an idle connection from the pool, and the pool holds no more than these.
  for (let round = context.settings.maxConnections;; round--) {
    const route = await agents.routeFor(request.url, request.isUnverified ?? false);
    throwIfAborted(request.signal);
    const exchange = new Exchange(request, route, context);
    try {
      return await exchange.send();
    } catch (error) {
      if (!exchange.wasSocketStale || !mayRepeat(request) || round <= 0) throw error;
    }
  }
}

/** Whether the server cannot have acted on the request, or may act on it twice. */
function mayRepeat({ method, body }: HttpRequest): boolean {
  if (body instanceof StreamedBody) return !body.isStarted;
  return body === undefined && (method === "GET" || method === "HEAD");
}
