/** Requests to one registry, on behalf of one repository: authorised, redirected, explained. */

import type { Settings } from "../../config/settings.ts";
import type { DockerReference } from "../../types.ts";
import { Authenticator } from "./authenticator.ts";
import { parseChallenges } from "./challenge.ts";
import type { FindCredentials } from "./credentials/credentials.ts";
import type { HttpClient, HttpResponse } from "./http_client.ts";
import type { RegistryLimits } from "./limits.ts";
import { isRedirect, redirectTarget, tooManyRedirects } from "./redirect.ts";
import { TransferError } from "./transfer_error.ts";

export interface RegistryClientOptions {
  readonly reference: DockerReference;
  readonly settings: Settings;
  readonly limits: RegistryLimits;
  readonly http: HttpClient;
  readonly findCredentials: FindCredentials;
}

export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #authenticators = new Map<string, Authenticator>();
  #base: URL;
  /** Whether the registry has answered in the protocol of `#base`. */
  #isBaseProven: boolean;

  constructor(options: RegistryClientOptions) {
    const { allowHttp } = options.settings;
    this.#options = options;
    this.#base = new URL(`${allowHttp ? "http" : "https"}://${options.reference.registry}/`);
    this.#isBaseProven = !allowHttp;
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
    const base = this.#base;
    const isProven = this.#isBaseProven;
    let failure: unknown;
    try {
      const response = await this.getUrl(this.#urlOf(path, base), headers, signal);
      if (isProven || !await isTlsComplaint(response, this.#options.limits)) {
        this.#learnBase(base, response);
        return response;
      }
    } catch (error) {
      if (isProven || !mayBeTls(error, base)) throw error;
      failure = error;
    }
    return await this.#getSecure(path, headers, signal, failure);
  }

  /** As `get`, for an absolute URL; registry credentials go to the registry's origin only. */
  async getUrl(
    start: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const { http, limits, settings } = this.#options;
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
        url = redirectTarget(response, settings.allowHttp);
        continue;
      }
      const challenges = response.status === 401
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
    return url.origin === this.#base.origin;
  }

  /** Whether the settings let us fetch from `url` at all. */
  mayFetch(url: URL): boolean {
    const { allowHttp } = this.#options.settings;
    return url.protocol === "https:" || (url.protocol === "http:" && allowHttp);
  }

  #urlOf(path: string, base: URL): URL {
    return new URL(`/v2/${this.#options.reference.repository}/${path}`, base);
  }

  #authenticatorFor(url: URL): Authenticator {
    const known = this.#authenticators.get(url.origin);
    if (known !== undefined) return known;
    const { reference, settings, ...shared } = this.#options;
    const isRegistry = url.hostname === this.#base.hostname && url.port === this.#base.port;
    const authenticator = new Authenticator({
      ...shared,
      allowHttp: settings.allowHttp,
      url: new URL("/", url),
      repository: reference.repository,
      ...(isRegistry && reference.user !== undefined && { user: reference.user }),
    });
    this.#authenticators.set(url.origin, authenticator);
    return authenticator;
  }

  /** HTTP is allowed and was tried first; the registry may speak HTTPS all the same. */
  async #getSecure(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    failure: unknown,
  ): Promise<HttpResponse> {
    const base = new URL(`https://${this.#options.reference.registry}/`);
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
    if (this.#isBaseProven) return;
    this.#isBaseProven = true;
    const { url } = response;
    const isUpgraded = url.protocol === "https:" && url.hostname === base.hostname;
    this.#base = isUpgraded ? new URL("/", url) : base;
  }
}

/** What Go's server, nginx and Apache say on their TLS port to plain HTTP. Ends the body if so. */
async function isTlsComplaint(response: HttpResponse, limits: RegistryLimits): Promise<boolean> {
  if (response.status !== 400 || response.url.protocol !== "http:") return false;
  const text = await response.body.textStart(limits.errorBytes);
  return /HTTPS|SSL/i.test(text);
}

/** A TLS server may answer plain HTTP with an alert, or hang up; another is on port 443 only. */
function mayBeTls(error: unknown, base: URL): boolean {
  if (!(error instanceof TransferError)) return false;
  const code = String((error.cause as { code?: unknown } | undefined)?.code);
  return /^(HPE_|ECONNRESET|EPIPE)/.test(code) || (code === "ECONNREFUSED" && base.port === "");
}
