/** Every bound of an HTTP exchange. */

export interface HttpLimits {
  readonly redirects: number;
  /** What is read of an error's body. */
  readonly errorBytes: number;
  /** Without a byte for this long an attempt has failed. */
  readonly stallTimeoutMs: number;
  /** Of the first retry; it doubles with each. */
  readonly backOffMs: number;
  readonly backOffMaxMs: number;
  /** The longest wait that a server can ask for. */
  readonly retryAfterMaxMs: number;
  /** Received and not yet taken, for each response. */
  readonly bufferedBytes: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  redirects: 10,
  errorBytes: 64 * 1024,
  stallTimeoutMs: 60_000,
  backOffMs: 500,
  backOffMaxMs: 30_000,
  retryAfterMaxMs: 120_000,
  bufferedBytes: 1024 * 1024,
};
