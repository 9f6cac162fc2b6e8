/** Requests that write to one repository: no more at once than it takes, and repeated when they fail. */

import type { HttpMethod, HttpResponse, RequestBody } from "../../../http/client.ts";
import { Retries, retryDelayMs, RetryLog } from "../../../http/retry.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import type { OnProgress } from "../../../types/progress.ts";
import type { Action, Scope } from "../auth/scope.ts";
import type { RegistryLimits } from "../limits.ts";
import type { RegistryClient } from "../registry_client.ts";
import { responseError } from "../response_error.ts";
import { Pace } from "./pace.ts";
import { WRITE_HINTS } from "./write_hints.ts";

export interface WriteRequest {
  readonly method: HttpMethod;
  /** A path below the repository, or the absolute URL of an upload. */
  readonly target: string | URL;
  /** What is asked for, at the beginning of messages. */
  readonly what: string;
  /** Any other status is an error. */
  readonly accepted: readonly number[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** `pull` and `push` unless set: one token serves all requests. */
  readonly actions?: readonly Action[];
  readonly furtherScopes?: readonly Scope[];
}

export interface WriterOptions {
  /** The repository's name in messages: `docker.io/library/alpine`. */
  readonly name: string;
  readonly client: RegistryClient;
  readonly limits: RegistryLimits;
  readonly retries: number;
  readonly maxConnections: number;
  readonly onProgress?: OnProgress | undefined;
}

export class Writer {
  readonly name: string;
  readonly client: RegistryClient;
  readonly limits: RegistryLimits;
  /** The largest part of a blob that the registry takes; undefined while it takes whole blobs. */
  partBytes: number | undefined;
  readonly #retries: number;
  readonly #onProgress: OnProgress | undefined;
  readonly #retryLog: RetryLog;
  readonly #pace: Pace;

  constructor(options: WriterOptions) {
    this.name = options.name;
    this.client = options.client;
    this.limits = options.limits;
    this.#retries = options.retries;
    this.#onProgress = options.onProgress;
    this.#retryLog = new RetryLog(options.onProgress);
    this.#pace = new Pace(options.maxConnections);
  }

  newRetries(): Retries {
    return new Retries(this.#retries, this.limits, this.#retryLog);
  }

  tell(level: "info" | "warn", message: string): void {
    this.#onProgress?.({ type: "log", level, message });
  }

  /**
   * Sends a request whose body can be sent again, as often as the settings allow. Only the answer of
   * a GET has its body still. Throws `TransferError` for a status that is not accepted.
   */
  async send(request: WriteRequest, signal: AbortSignal): Promise<HttpResponse> {
    const retries = this.newRetries();
    for (;;) {
      try {
        return await this.sendOnce(request, signal);
      } catch (error) {
        await retries.wait(error, signal);
      }
    }
  }

  /** As {@link send}, without another try: the body may be one that can be sent once. */
  async sendOnce(request: WriteRequest, signal: AbortSignal): Promise<HttpResponse> {
    const { method, target, what, accepted, ...rest } = request;
    const { commitTimeoutMs, errorBytes } = this.limits;
    return await this.#pace.run(async () => {
      const options = {
        actions: ["pull", "push"] as const,
        answerTimeoutMs: commitTimeoutMs,
        ...rest,
        signal,
      };
      const response = typeof target === "string"
        ? await this.client.request(method, target, options)
        : await this.client.requestUrl(method, target, options);
      if (!accepted.includes(response.status)) {
        throw this.#slowedBy(await responseError(response, what, this.limits, WRITE_HINTS));
      }
      // Until it was read the answer holds a connection.
      if (method !== "GET") await response.body.textStart(errorBytes);
      return response;
    }, signal);
  }

  #slowedBy(error: TransferError): TransferError {
    if (error.code !== "rate_limit") return error;
    const hasAsked = error.retryAfterMs !== undefined;
    this.#pace.slowDown(hasAsked ? retryDelayMs(error.retryAfterMs, 1, this.limits) : 0);
    return error;
  }
}
