/** Every limit of an HTTP exchange. */

export interface HttpLimits {
  /** How many redirects one request may follow. */
  readonly redirects: number;
  /** How much of an error's body is read. */
  readonly errorBytes: number;
  /** An attempt fails when no byte moves for this long. */
  readonly stallTimeoutMs: number;
  /** The wait before the first retry; it doubles with each. */
  readonly backOffMs: number;
  readonly backOffMaxMs: number;
  /** The longest wait that a server may ask for. */
  readonly retryAfterMaxMs: number;
  /** How many received bytes a response may hold that nobody has taken yet. */
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
