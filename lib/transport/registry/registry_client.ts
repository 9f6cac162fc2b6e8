/** Requests to one registry, on behalf of one repository: authorised, redirected, explained. */

import type { Endpoint } from "../../containers_conf/registry_endpoints.ts";
import { Authenticator } from "./auth/authenticator.ts";
import { parseChallenges } from "./auth/challenge.ts";
import type { FindCredentials } from "./credentials/credentials.ts";
import type { HttpClient, HttpResponse } from "../../http/client.ts";
import type { RegistryLimits } from "./limits.ts";
import { isRedirect, redirectTarget, tooManyRedirects } from "../../http/redirect.ts";
import { TransferError } from "../../http/transfer_error.ts";

export interface RegistryClientOptions {
  readonly endpoint: Endpoint;
  /** Whom the registry is asked for as; others are not. */
  readonly user?: string;
  /** Whether the settings allow plain HTTP everywhere. */
  readonly allowHttp: boolean;
  readonly limits: RegistryLimits;
  readonly http: HttpClient;
  readonly findCredentials: FindCredentials;
}

export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #authenticators = new Map<string, Authenticator>();
  /** The registry's root; and the other to try while neither protocol is known to be spoken. */
  #bases: readonly [URL, URL?];

  constructor(options: RegistryClientOptions) {
    const { endpoint, allowHttp } = options;
    const [http, https] = ["http", "https"].map((protocol) =>
      new URL(`${protocol}://${endpoint.registry}/`)
    ) as [URL, URL];
    this.#options = endpoint.insecure
      ? { ...options, http: trusting(options.http, https.hostname) }
      : options;
    // As enroot and as containers/image do it: an insecure registry is asked for HTTPS first.
    this.#bases = endpoint.insecure ? [https, http] : allowHttp ? [http, https] : [https];
  }

  /**
   * GETs `path` of the repository (`manifests/latest`), following redirects and answering
   * challenges. Resolves with any other status. Throws `TransferError`.
   */
  async get(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const [base, other] = this.#bases;
    let failure: unknown;
    try {
      const response = await this.getUrl(this.#urlOf(path, base), headers, signal);
      if (other === undefined || !await isTlsComplaint(response, this.#options.limits)) {
        this.#learnBase(base, response);
        return response;
      }
    } catch (error) {
      if (other === undefined || !maySpeakOther(error, base)) throw error;
      failure = error;
    }
    return await this.#getFromOther(other, path, headers, signal, failure);
  }

  /** As `get`, for an absolute URL; registry credentials go to the registry's origin only. */
  async getUrl(
    start: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const { http, limits } = this.#options;
    let [url, redirects, challenged] = [start, 0, 0];
    for (;;) {
      const authenticator = this.#authenticatorFor(url);
      const { authorization } = authenticator;
      const response = await http.send({
        method: "GET",
        url,
        headers: authorization === undefined ? headers : { ...headers, authorization },
        signal,
      });
      if (isRedirect(response)) {
        if (++redirects > limits.redirects) {
          response.body.destroy();
          throw tooManyRedirects(start, limits.redirects);
        }
        await response.body.textStart(limits.errorBytes);
        url = redirectTarget(response, this.mayUseHttp);
        continue;
      }
      const isPrivate = url.protocol === "https:" || this.mayUseHttp(url);
      const challenges = response.status === 401 && isPrivate
        ? parseChallenges(response.headers("www-authenticate"))
        : [];
      if (challenges.length === 0 || ++challenged > limits.challenges) return response;
      // Read before the token is asked for: its connection counts.
      await response.body.textStart(limits.errorBytes);
      await authenticator.answer(challenges, authorization, signal);
    }
  }

  /** Whether `url` is the registry's own, not that of a storage or mirror it sent us to. */
  isOwn(url: URL): boolean {
    return url.origin === this.#bases[0].origin;
  }

  /** Whether we may fetch from `url` at all. */
  mayFetch(url: URL): boolean {
    return url.protocol === "https:" || (url.protocol === "http:" && this.mayUseHttp(url));
  }

  /** Whether `url` may be asked in the clear: by the settings, or as this insecure registry's host. */
  readonly mayUseHttp = (url: URL): boolean => {
    const { allowHttp, endpoint } = this.#options;
    return allowHttp || (endpoint.insecure && url.hostname === this.#bases[0].hostname);
  };

  #urlOf(path: string, base: URL): URL {
    return new URL(`/v2/${this.#options.endpoint.repository}/${path}`, base);
  }

  #authenticatorFor(url: URL): Authenticator {
    const { endpoint, user, http, limits, findCredentials } = this.#options;
    const [base] = this.#bases;
    const isRegistry = url.hostname === base.hostname && url.port === base.port;
    const elsewhere = isRegistry ? undefined : REPOSITORY_IN_PATH.exec(url.pathname)?.[1];
    const repository = elsewhere ?? endpoint.repository;
    const key = `${url.origin} ${repository}`;
    const known = this.#authenticators.get(key);
    if (known !== undefined) return known;
    // A mirror, or whom we were sent to, may name any token service, and would be handed what the
    // user may do there.
    const isTrusted = isRegistry && !endpoint.isMirror;
    const authenticator = new Authenticator({
      http,
      limits,
      findCredentials: isTrusted ? findCredentials : ofOwnHost(findCredentials),
      mayUseHttp: this.mayUseHttp,
      url: new URL("/", url),
      repository,
      ...(isRegistry && user !== undefined && { user }),
    });
    this.#authenticators.set(key, authenticator);
    return authenticator;
  }

  /** The registry may speak the protocol that was not tried first. */
  async #getFromOther(
    base: URL,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    failure: unknown,
  ): Promise<HttpResponse> {
    try {
      const response = await this.getUrl(this.#urlOf(path, base), headers, signal);
      this.#learnBase(base, response);
      return response;
    } catch (error) {
      const isConnection = error instanceof TransferError && error.code === "network";
      throw isConnection && failure !== undefined ? failure : error;
    }
  }

  #learnBase(base: URL, response: HttpResponse): void {
    if (this.#bases.length === 1) return;
    const { url } = response;
    const isUpgraded = url.protocol === "https:" && url.hostname === base.hostname;
    this.#bases = [isUpgraded ? new URL("/", url) : base];
  }
}

/** Of a redirect's target: registries that stand before others have other names for them. */
const REPOSITORY_IN_PATH = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//;

/** Leaves out what is kept for the token service's host. */
function ofOwnHost(find: FindCredentials): FindCredentials {
  return ({ realmHost: _, ...query }, signal) => find(query, signal);
}

/** Takes any certificate from this host, for whom the configuration says so. */
function trusting(http: HttpClient, hostname: string): HttpClient {
  return {
    send: (request) =>
      http.send(request.url.hostname === hostname ? { ...request, isUnverified: true } : request),
    close: () => http.close(),
  };
}

/** What Go's server, nginx and Apache say on their TLS port to plain HTTP. Ends the body if so. */
async function isTlsComplaint(response: HttpResponse, limits: RegistryLimits): Promise<boolean> {
  if (response.status !== 400 || response.url.protocol !== "http:") return false;
  const text = await response.body.textStart(limits.errorBytes);
  return /HTTPS|SSL/i.test(text);
}

/**
 * Whether the failure at `base` may be one of the protocol. A TLS server may answer plain HTTP with an
 * alert, or hang up; another is on port 443 only. A plain server has many ways not to speak TLS.
 */
function maySpeakOther(error: unknown, base: URL): boolean {
  if (!(error instanceof TransferError)) return false;
  // A time-out has no cause, and who is silent in one protocol is silent in both.
  if (base.protocol === "https:") return error.code === "network" && error.cause !== undefined;
  const code = String((error.cause as { code?: unknown } | undefined)?.code);
  return /^(HPE_|ECONNRESET|EPIPE)/.test(code) || (code === "ECONNREFUSED" && base.port === "");
}
