/** The places that one image may come from, and the order in which a request goes through them. */

import { type Endpoint, endpointName } from "../../../containers_conf/registry_endpoints.ts";
import { DenrootError } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import type { OnProgress } from "../../../types/progress.ts";
import { BlobPlaces } from "../read/blob_places.ts";
import type { RegistryLimits } from "../limits.ts";
import type { RegistryClient } from "../registry_client.ts";
import { Retries } from "../../../http/retry.ts";
import { TransferError } from "../../../http/transfer_error.ts";

/** One place, and what is known of it. */
export interface RegistryEndpoint {
  /** How it is called in messages: `docker.io/library/alpine`. */
  readonly name: string;
  readonly isMirror: boolean;
  /** Where the configuration forbids it. */
  readonly blockedBy?: string;
  readonly client: RegistryClient;
  readonly places: BlobPlaces;
  readonly limits: RegistryLimits;
  /** How often a failed request is made again here. */
  readonly retries: number;
}

/** A mirror is given up sooner than the place itself: there is somewhere else to go. */
export function toRegistryEndpoint(
  endpoint: Endpoint,
  client: RegistryClient,
  limits: RegistryLimits,
  retries: number,
): RegistryEndpoint {
  const { isMirror, blockedBy } = endpoint;
  return {
    name: plainText(endpointName(endpoint), 300),
    isMirror,
    ...(blockedBy !== undefined && { blockedBy }),
    client,
    places: new BlobPlaces(),
    limits: isMirror ? { ...limits, retryAfterMaxMs: limits.mirrorRetryAfterMaxMs } : limits,
    retries: isMirror ? Math.min(retries, limits.mirrorRetries) : retries,
  };
}

interface Failure {
  readonly name: string;
  readonly error: DenrootError;
}

/** Where requests begin; the places before have failed. */
interface Route {
  first: number;
  readonly failures: Failure[];
}

/** What all requests for one image share. */
interface State {
  readonly list: readonly RegistryEndpoint[];
  readonly onProgress?: OnProgress;
  /** Of all requests: it passes over places that are down, or have not got the image. */
  readonly route: Route;
  /** By digest: they pass over places that lack the blob, or have sent other bytes for it. */
  readonly blobRoutes: Map<string, Route>;
  /** The place that has sent a part of a blob to its end. */
  readonly delivered: Map<string, number>;
}

export class Endpoints {
  readonly #state: State;

  /** `list` in the order to be tried; not empty. */
  constructor(list: readonly RegistryEndpoint[], onProgress?: OnProgress) {
    this.#state = {
      list,
      onProgress,
      route: { first: 0, failures: [] },
      blobRoutes: new Map(),
      delivered: new Map(),
    };
  }

  /** Where the manifest came from, once there is one. */
  get current(): RegistryEndpoint {
    return this.#state.list[this.#state.route.first]!;
  }

  /** For one request; `what` is what it asks for, as in "The manifest of ubuntu:24.04". */
  attempts(what: string): Attempts {
    return new Attempts(this.#state, { first: 0, failures: [] }, what);
  }

  /**
   * For a blob's bytes from `start` on. Those that came whole, and are asked for again, were not
   * what they should be: the next place is asked for this blob.
   */
  blobAttempts(digest: string, start: number): Attempts {
    const { list, blobRoutes, delivered } = this.#state;
    const route = blobRoutes.get(digest) ?? { first: 0, failures: [] };
    blobRoutes.set(digest, route);
    const last = delivered.get(`${digest} ${start}`) ?? -1;
    if (last >= route.first && last + 1 < list.length) {
      const error = new DenrootError("digest", "its bytes are not those of the digest");
      route.failures.push({ name: list[last]!.name, error });
      route.first = last + 1;
    }
    return new Attempts(this.#state, route, `Blob ${digest}`);
  }

  /** A blob's bytes from `start` on have come from where `attempts` came to. */
  delivered(digest: string, start: number, attempts: Attempts): void {
    this.#state.delivered.set(`${digest} ${start}`, attempts.index);
  }
}

/** One request on its way through the places, with the retries that it has at each. */
export class Attempts {
  readonly #state: State;
  /** Of this request and others for the same. */
  readonly #route: Route;
  readonly #what: string;
  readonly #failures: Failure[];
  #index: number;
  #retries: Retries;

  constructor(state: State, route: Route, what: string) {
    this.#state = state;
    this.#route = route;
    this.#what = what;
    this.#failures = [...state.route.failures, ...route.failures];
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

  /** Much has come since the last failure: the next one is the first again. */
  forgive(): void {
    this.#retries.forgive();
  }

  /** The image is here: what else is asked for begins here too. */
  settle(): void {
    const { route } = this.#state;
    route.first = Math.max(route.first, this.#index);
  }

  /**
   * Waits for the next try here, or goes on to the next place. Throws `error` itself when there is
   * but one place, or when another would not help; else, when the last has failed, what each said.
   */
  async recover(error: unknown, signal: AbortSignal): Promise<void> {
    try {
      await this.#retries.wait(error, signal);
    } catch (final) {
      if (this.#state.list.length === 1 || !isOfPlace(final)) throw final;
      this.#goOn(final);
    }
  }

  #goOn(error: DenrootError): void {
    const { list, route, onProgress } = this.#state;
    const failure = { name: this.endpoint.name, error };
    this.#failures.push(failure);
    // Many requests fail at once: the first of them finds it out for the others.
    const isNews = this.#index >= this.#first;
    this.#index++;
    this.#passBlocked();
    if (isNews) {
      // A place that is down is asked for nothing more.
      const isDown = error instanceof TransferError && error.transient;
      const changed = isDown ? route : this.#route;
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
    return Math.max(this.#state.route.first, this.#route.first);
  }

  /** Throws when no place is left. */
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
    return new Retries(retries, limits, this.#state.onProgress);
  }
}

/** Whether another place may do better. A server without ranges is asked differently instead. */
function isOfPlace(error: unknown): error is DenrootError {
  return error instanceof DenrootError && error.code !== "aborted" &&
    error.code !== "range_unsupported";
}

/** The last place is the image's own: its error is the one that counts. */
function allFailed(what: string, failures: readonly Failure[]): TransferError {
  const { error } = failures.at(-1)!;
  const list = failures.map(({ name, error }) => `${name}: ${error.message}`).join("; ");
  const count = failures.length === 1 ? "" : `All ${failures.length} places failed: `;
  return new TransferError(error.code, `${what}: ${count}${list}`, {
    cause: error,
    hint: error.hint,
  });
}
