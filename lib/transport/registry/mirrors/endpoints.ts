/** The registries that one image may come from, and the order in which a request tries them. */

import { type ImageLocation, locationName } from "../../../containers_conf/image_locations.ts";
import { DenrootError } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import type { OnProgress } from "../../../types/progress.ts";
import { BlobTargets } from "../read/blob_targets.ts";
import type { RegistryLimits } from "../limits.ts";
import type { RegistryClient } from "../registry_client.ts";
import { Retries, RetryLog } from "../../../http/retry.ts";
import { TransferError } from "../../../http/transfer_error.ts";

/** One location of the image, and what is known about it. */
export interface RegistryEndpoint {
  /** Its name in messages: `docker.io/library/alpine`. */
  readonly name: string;
  readonly isMirror: boolean;
  /** The line of the configuration that forbids it. */
  readonly blockedBy?: string;
  readonly client: RegistryClient;
  readonly targets: BlobTargets;
  readonly limits: RegistryLimits;
  /** How often a failed request is made again here. */
  readonly retries: number;
}

/** A mirror gets fewer retries than the image's own registry: the image has other locations. */
export function toRegistryEndpoint(
  location: ImageLocation,
  client: RegistryClient,
  limits: RegistryLimits,
  retries: number,
): RegistryEndpoint {
  const { isMirror, blockedBy } = location;
  return {
    name: plainText(locationName(location), 300),
    isMirror,
    ...(blockedBy !== undefined && { blockedBy }),
    client,
    targets: new BlobTargets(),
    limits: isMirror ? { ...limits, retryAfterMaxMs: limits.mirrorRetryAfterMaxMs } : limits,
    retries: isMirror ? Math.min(retries, limits.mirrorRetries) : retries,
  };
}

interface Failure {
  readonly name: string;
  readonly error: DenrootError;
}

/** The endpoint that requests begin at; those before it have failed. */
interface StartingPoint {
  first: number;
  readonly failures: Failure[];
}

/** What all requests for one image share. */
interface State {
  readonly list: readonly RegistryEndpoint[];
  readonly onProgress?: OnProgress | undefined;
  /** One for each endpoint. */
  readonly retryLogs: readonly RetryLog[];
  /** For all requests: endpoints that are down or lack the image are left out. */
  readonly start: StartingPoint;
  /** By digest: endpoints that lack the blob, or sent other bytes for it, are left out. */
  readonly blobStarts: Map<string, StartingPoint>;
  /** By digest and first byte: the endpoint that sent these bytes to their end. */
  readonly delivered: Map<string, number>;
}

export class Endpoints {
  readonly #state: State;

  /** `list` is in the order to be tried, and not empty. */
  constructor(list: readonly RegistryEndpoint[], onProgress?: OnProgress) {
    this.#state = {
      list,
      onProgress,
      retryLogs: list.map(() => new RetryLog(onProgress)),
      start: { first: 0, failures: [] },
      blobStarts: new Map(),
      delivered: new Map(),
    };
  }

  /** The endpoint that the manifest came from, once there is one. */
  get current(): RegistryEndpoint {
    return this.#state.list[this.#state.start.first]!;
  }

  /** For one request; `what` names its result, as in "The manifest of ubuntu:24.04". */
  attempts(what: string): Attempts {
    return new Attempts(this.#state, { first: 0, failures: [] }, what);
  }

  /**
   * For a blob's bytes from `start` on. Bytes that came whole and are asked for again were wrong:
   * the next endpoint is asked for this blob.
   */
  blobAttempts(digest: string, start: number): Attempts {
    const { list, blobStarts, delivered } = this.#state;
    const blobStart = blobStarts.get(digest) ?? { first: 0, failures: [] };
    blobStarts.set(digest, blobStart);
    const last = delivered.get(`${digest} ${start}`) ?? -1;
    if (last >= blobStart.first && last + 1 < list.length) {
      const error = new DenrootError("digest", "it sent bytes that do not match the digest");
      blobStart.failures.push({ name: list[last]!.name, error });
      blobStart.first = last + 1;
    }
    return new Attempts(this.#state, blobStart, `Blob ${digest}`);
  }

  /** A blob's bytes from `start` on have come whole from the current endpoint of `attempts`. */
  delivered(digest: string, start: number, attempts: Attempts): void {
    this.#state.delivered.set(`${digest} ${start}`, attempts.index);
  }
}

/** One request on its way through the endpoints, with a number of retries at each. */
class Attempts {
  readonly #state: State;
  /** Shared with other requests for the same thing. */
  readonly #start: StartingPoint;
  readonly #what: string;
  readonly #failures: Failure[];
  #index: number;
  #retries: Retries;

  constructor(state: State, start: StartingPoint, what: string) {
    this.#state = state;
    this.#start = start;
    this.#what = what;
    this.#failures = [...state.start.failures, ...start.failures];
    this.#index = this.#first;
    this.#passBlocked();
    this.#retries = this.#newRetries();
  }

  get index(): number {
    return this.#index;
  }

  get endpoint(): RegistryEndpoint {
    return this.#state.list[this.#index]!;
  }

  /** Much has arrived since the last failure: the next failure counts as the first one. */
  forgive(): void {
    this.#retries.forgive();
  }

  /** This endpoint has the image: all further requests begin here. */
  settle(): void {
    const { start } = this.#state;
    start.first = Math.max(start.first, this.#index);
  }

  /**
   * Waits for the next try here, or goes on to the next endpoint. Throws `error` itself when there
   * is only one endpoint or another one would not help. When the last one has failed, throws an
   * error that says why each failed.
   */
  async recover(error: unknown, signal: AbortSignal): Promise<void> {
    try {
      await this.#retries.wait(error, signal);
    } catch (final) {
      if (this.#state.list.length === 1 || !mayWorkElsewhere(final)) throw final;
      this.#goOn(final);
    }
  }

  #goOn(error: DenrootError): void {
    const { list, start, onProgress } = this.#state;
    const failure = { name: this.endpoint.name, error };
    this.#failures.push(failure);
    // Many requests may fail at once: only the first of them changes what the others begin with.
    const isNews = this.#index >= this.#first;
    this.#index++;
    this.#passBlocked();
    if (isNews) {
      // An endpoint that is down is not asked for anything else.
      const isDown = error instanceof TransferError && error.transient;
      const changed = isDown ? start : this.#start;
      changed.first = this.#index;
      changed.failures.push(failure);
      const next = list[this.#index]!.name;
      const message = `${failure.name} failed: ${error.message}; going on with ${next}`;
      onProgress?.({ type: "log", level: "warn", message });
    }
    this.#index = Math.max(this.#index, this.#first);
    this.#retries = this.#newRetries();
  }

  get #first(): number {
    return Math.max(this.#state.start.first, this.#start.first);
  }

  /** Throws when no endpoint is left. */
  #passBlocked(): void {
    const { list } = this.#state;
    for (; this.#index < list.length; this.#index++) {
      const { name, blockedBy } = this.endpoint;
      if (blockedBy === undefined) return;
      const error = new DenrootError("settings", `it is blocked in ${blockedBy}`);
      this.#failures.push({ name, error });
    }
    throw allFailed(this.#what, this.#failures);
  }

  #newRetries(): Retries {
    const { retries, limits } = this.endpoint;
    return new Retries(retries, limits, this.#state.retryLogs[this.#index]);
  }
}

/** Whether another endpoint may do better. A server without ranges is asked differently instead. */
function mayWorkElsewhere(error: unknown): error is DenrootError {
  return error instanceof DenrootError && error.code !== "aborted" &&
    error.code !== "range_unsupported";
}

/** The last endpoint is the image's own registry: its error decides the code and the hint. */
function allFailed(what: string, failures: readonly Failure[]): TransferError {
  const { error } = failures.at(-1)!;
  const list = failures.map(({ name, error: { message } }) =>
    // Most errors begin with what was asked for, which stands before the list already.
    `${name}: ${message.startsWith(`${what}: `) ? message.slice(what.length + 2) : message}`
  ).join("; ");
  const count = failures.length === 1 ? "" : `All ${failures.length} registries failed: `;
  return new TransferError(error.code, `${what}: ${count}${list}`, {
    cause: error,
    hint: error.hint,
  });
}
