/** Requests to one repository of one registry: authorised, redirected. */

import type { ImageLocation } from "../../containers_conf/image_locations.ts";
import type { HttpClient, HttpMethod, HttpResponse, RequestBody } from "../../http/client.ts";
import { isRedirect, redirectTarget, tooManyRedirects } from "../../http/redirect.ts";
import { StreamedBody } from "../../http/streamed_body.ts";
import { TransferError } from "../../http/transfer_error.ts";
import { plainText } from "../../text/quote_text.ts";
import { Authenticator, type AuthenticatorOptions } from "./auth/authenticator.ts";
import { parseChallenges } from "./auth/challenge.ts";
import { type Action, CATALOG_SCOPE, type Scope } from "./auth/scope.ts";
import { BaseUrls } from "./base_urls.ts";
import { isPrivateHost } from "./private_host.ts";
import type { CredentialsFinder } from "./credentials/credentials.ts";
import type { RegistryLimits } from "./limits.ts";

export interface RegistryClientOptions {
  readonly location: ImageLocation;
  /** The user name for this registry; no other host gets it. */
  readonly user?: string;
  /** Whether the settings allow plain HTTP everywhere. */
  readonly allowHttp: boolean;
  readonly limits: RegistryLimits;
  readonly http: HttpClient;
  readonly credentials: CredentialsFinder;
}

export interface RegistryRequest {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** What a token must allow on the repository. A token is kept for each set of actions. */
  readonly actions: readonly Action[];
  /** What the token must allow beside that: mounting a blob needs `pull` on its repository. */
  readonly furtherScopes?: readonly Scope[];
  /** See `HttpRequest`. */
  readonly answerTimeoutMs?: number;
  /** The path is that of the registry's list of repositories, and of no repository. */
  readonly isCatalog?: boolean;
  readonly signal: AbortSignal;
}

export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #authenticators = new Map<string, Authenticator>();
  readonly #bases: BaseUrls;

  constructor(options: RegistryClientOptions) {
    const { location, allowHttp } = options;
    this.#bases = new BaseUrls(location, allowHttp);
    this.#options = location.insecure
      ? { ...options, http: trusting(options.http, this.#bases.current.hostname) }
      : options;
  }

  /**
   * Asks for `path` of the repository (`manifests/latest`). Redirects are followed and challenges are
   * answered, but not when a part of the body was sent already: the caller then has to begin the
   * upload again. Resolves with any other status.
   *
   * Throws `TransferError`; a `transient` one with status 401 when a token ended during an upload.
   * A new token is there then. A streamed body is closed in every case.
   */
  async request(
    method: HttpMethod,
    path: string,
    request: RegistryRequest,
  ): Promise<HttpResponse> {
    const { repository } = this.#options.location;
    const pathname = request.isCatalog ? `/v2/${path}` : `/v2/${repository}/${path}`;
    const send = (base: URL) => this.#send(method, new URL(pathname, base), request);
    try {
      return await this.#bases.ask(send, this.#options.limits.errorBytes);
    } finally {
      if (request.body instanceof StreamedBody) request.body.close();
    }
  }

  /** Like {@link request}, for an absolute URL. Credentials go to the registry's origin only. */
  async requestUrl(
    method: HttpMethod,
    url: URL,
    request: RegistryRequest,
  ): Promise<HttpResponse> {
    try {
      return await this.#send(method, url, request);
    } finally {
      if (request.body instanceof StreamedBody) request.body.close();
    }
  }

  /** Whether `url` is on the registry itself, and not on a storage or mirror it redirects to. */
  isOwn(url: URL): boolean {
    return url.origin === this.#bases.current.origin;
  }

  /** Whether the settings allow to fetch from `url` at all. */
  mayFetch(url: URL): boolean {
    return url.protocol === "https:" || (url.protocol === "http:" && this.mayUseHttp(url));
  }

  /** Whether plain HTTP to `url` is allowed: everywhere by the settings, or to this registry. */
  readonly mayUseHttp = (url: URL): boolean => {
    const { allowHttp, location } = this.#options;
    return allowHttp || (location.insecure && url.hostname === this.#bases.current.hostname);
  };

  /**
   * Throws code `registry` when the registry sends an upload to a host of a private network that it
   * is not on itself: it could make this machine write where only this machine can.
   */
  async checkUploadHost(url: URL): Promise<void> {
    if (this.#isRegistry(url) || !await isPrivateHost(url.hostname)) return;
    if (await isPrivateHost(this.#bases.current.hostname)) return;
    throw privateUpload(this.#bases.current, url);
  }

  #isRegistry(url: URL): boolean {
    const { hostname, port } = this.#bases.current;
    return url.hostname === hostname && url.port === port;
  }

  async #send(method: HttpMethod, start: URL, request: RegistryRequest): Promise<HttpResponse> {
    const { http, limits } = this.#options;
    const { headers = {}, body, answerTimeoutMs, signal } = request;
    let [url, redirects, challenged] = [start, 0, 0];
    for (;;) {
      // What is written elsewhere, to a storage, is allowed by its URL: nobody's password goes there.
      const authenticator = isWrite(method) && !this.#isRegistry(url)
        ? undefined
        : this.#authenticatorFor(url, request);
      const authorization = authenticator?.authorization;
      const response = await http.send({
        method,
        url,
        headers: authorization === undefined ? headers : { ...headers, authorization },
        body,
        answerTimeoutMs,
        signal,
      });
      if (isRedirect(response) && mayFollow(method, response, body)) {
        if (++redirects > limits.redirects) {
          response.body.destroy();
          throw tooManyRedirects(start, limits.redirects);
        }
        await response.body.textStart(limits.errorBytes);
        url = redirectTarget(response, this.mayUseHttp);
        if (isWrite(method)) await this.checkUploadHost(url);
        continue;
      }
      const isPrivate = url.protocol === "https:" || this.mayUseHttp(url);
      const challenges = response.status === 401 && isPrivate
        ? parseChallenges(response.headers("www-authenticate"))
        : [];
      if (authenticator === undefined || challenges.length === 0) return response;
      if (++challenged > limits.challenges) return response;
      // Read before the token is asked for: until then the answer holds a connection.
      await response.body.textStart(limits.errorBytes);
      await authenticator.answer(challenges, authorization, signal);
      if (isSpent(body)) throw tokenEnded(url);
    }
  }

  #authenticatorFor(url: URL, request: RegistryRequest): Authenticator {
    const { actions, furtherScopes = [], isCatalog } = request;
    const { location, user, http, limits, credentials } = this.#options;
    const isRegistry = this.#isRegistry(url);
    const elsewhere = isRegistry ? undefined : REPOSITORY_IN_PATH.exec(url.pathname)?.[1];
    const repository = elsewhere ?? location.repository;
    const scopes: AuthenticatorOptions["scopes"] = [
      isCatalog ? CATALOG_SCOPE : { repository, actions },
      ...(isRegistry ? furtherScopes : []),
    ];
    const key = JSON.stringify([url.origin, scopes]);
    const known = this.#authenticators.get(key);
    if (known !== undefined) return known;
    // A mirror or the target of a redirect could name any token service, and would get to see what
    // the user may do there.
    const isTrusted = isRegistry && !location.isMirror;
    const authenticator = new Authenticator({
      http,
      limits,
      credentials: isTrusted ? credentials : ofOwnHost(credentials),
      mayUseHttp: this.mayUseHttp,
      url: new URL("/", url),
      scopes,
      ...(isRegistry && user !== undefined && { user }),
    });
    this.#authenticators.set(key, authenticator);
    return authenticator;
  }
}

/** The repository in a redirect's target: a registry behind another one may use other names. */
const REPOSITORY_IN_PATH = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//;

function isWrite(method: HttpMethod): boolean {
  return method !== "GET" && method !== "HEAD";
}

/**
 * Whether the same request may go to the target of the redirect. After 301, 302 and 303 a client
 * would have to change other methods into GET (RFC 9110, section 15.4).
 */
function mayFollow(
  method: HttpMethod,
  { status }: HttpResponse,
  body: RequestBody | undefined,
): boolean {
  if (!isWrite(method)) return true;
  return (status === 307 || status === 308) && !isSpent(body);
}

function isSpent(body: RequestBody | undefined): boolean {
  return body instanceof StreamedBody && body.isStarted;
}

/** Finds no credentials that are kept for the token service's host. */
function ofOwnHost(credentials: CredentialsFinder): CredentialsFinder {
  return { find: ({ realmHost: _, ...query }, signal) => credentials.find(query, signal) };
}

/** Accepts any certificate of this one host: the configuration calls it insecure. */
function trusting(http: HttpClient, hostname: string): HttpClient {
  return {
    send: (request) =>
      http.send(request.url.hostname === hostname ? { ...request, isUnverified: true } : request),
    close: () => http.close(),
  };
}

function privateUpload(registry: URL, target: URL): TransferError {
  return new TransferError(
    "registry",
    `${plainText(registry.host)} sends the upload to a host of a private network, ${
      plainText(target.host)
    }, and denroot does not go there`,
    { hint: "The registry's administrator can set the address that it gives for uploads" },
  );
}

function tokenEnded(url: URL): TransferError {
  return new TransferError(
    "credentials",
    `${plainText(url.host)} asked for a new token in the middle of an upload`,
    { status: 401, transient: true },
  );
}
