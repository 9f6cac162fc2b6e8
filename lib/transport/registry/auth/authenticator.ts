/** Authentication at one origin: answers its challenges and keeps its tokens in memory. */

import { plainText } from "../../../text/quote_text.ts";
import type { Challenge } from "./challenge.ts";
import type { Credentials, CredentialsFinder } from "../credentials/credentials.ts";
import type { Scope } from "./scope.ts";
import {
  basicAuthorization,
  checkRealm,
  fetchToken,
  type TokenContext,
  toTokenRequest,
} from "./token_service.ts";
import { TransferError } from "../../../http/transfer_error.ts";

export interface AuthenticatorOptions extends TokenContext {
  /** The origin's root. Credentials go there, and to the token service that the origin names. */
  readonly url: URL;
  /** What tokens must allow; the first is for the repository whose credentials are looked up. */
  readonly scopes: readonly [Scope, ...Scope[]];
  readonly user?: string;
  readonly credentials: CredentialsFinder;
}

/** There is one for each origin, so that no credential can follow a redirect to another. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  /** One token for each realm, service and list of scopes: a narrower token would be refused. */
  readonly #tokens = new Map<string, string>();
  #authorization: string | undefined;
  #answering: Promise<void> | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** The header that worked last. There is none at first: most images are public. */
  get authorization(): string | undefined {
    return this.#authorization;
  }

  /**
   * Answers the challenges of a 401 to a request that had `used` as its Authorization header; the
   * request can then be sent again. Many requests may be challenged at once: one of them asks for
   * the token, and the others wait for it.
   */
  async answer(
    challenges: readonly Challenge[],
    used: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    while (this.#answering !== undefined) await this.#answering.catch(() => {});
    // Another request has got a new token meanwhile.
    if (this.#authorization !== used) return;
    this.#answering = this.#answer(challenges, used, signal);
    try {
      await this.#answering;
    } finally {
      this.#answering = undefined;
    }
  }

  async #answer(
    challenges: readonly Challenge[],
    used: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const basic = challenges.find(({ scheme }) => scheme === "basic");
    if (bearer === undefined && used?.startsWith("Bearer ")) {
      // Harbor asks for Basic when a token's scope is too narrow: begin again without a token.
      this.#authorization = undefined;
      for (const [key, token] of this.#tokens) {
        if (used === `Bearer ${token}`) this.#tokens.delete(key);
      }
      return;
    }
    if (bearer !== undefined) {
      this.#authorization = await this.#bearer(bearer, basic, used, signal);
    } else if (basic !== undefined) {
      this.#authorization = await this.#basic(used, signal);
    } else {
      throw unknownChallenge(this.#options.url, challenges);
    }
  }

  async #bearer(
    challenge: Challenge,
    basic: Challenge | undefined,
    used: string | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const { url, scopes, mayUseHttp } = this.#options;
    const request = toTokenRequest(challenge, scopes, url);
    const key = JSON.stringify([request.realm.href, request.service, request.scopes]);
    const known = this.#tokens.get(key);
    if (known !== undefined && `Bearer ${known}` !== used) return `Bearer ${known}`;
    const credentials = await this.#find(request.realm.host, signal);
    checkRealm(request.realm, url, credentials, mayUseHttp);
    try {
      const token = await fetchToken({ ...request, credentials }, this.#options, signal);
      this.#tokens.set(key, token);
      return `Bearer ${token}`;
    } catch (error) {
      const isRefused = error instanceof TransferError && error.code === "credentials";
      if (!isRefused || basic === undefined || credentials === undefined) throw error;
      return basicAuthorization(credentials.username, credentials.password);
    }
  }

  async #basic(used: string | undefined, signal: AbortSignal): Promise<string> {
    const { url } = this.#options;
    const credentials = await this.#find(undefined, signal);
    if (credentials === undefined) throw noCredentials(url);
    const authorization = basicAuthorization(credentials.username, credentials.password);
    if (authorization === used) throw refusedCredentials(url, credentials);
    return authorization;
  }

  #find(realmHost: string | undefined, signal: AbortSignal): Promise<Credentials | undefined> {
    const { url, scopes, user, credentials } = this.#options;
    const [{ repository }] = scopes;
    return credentials.find({
      registry: url.host,
      repository,
      ...(realmHost && { realmHost }),
      ...(user && { user }),
    }, signal);
  }
}

function noCredentials(url: URL): TransferError {
  const host = plainText(url.host);
  return new TransferError("credentials", `${host} asks for a user and a password`, {
    hint: `Run podman login ${host}, or add "machine ${plainText(url.hostname)} login USER ` +
      'password PASSWORD" to the file .credentials; denroot info shows its directory, ENROOT_CONFIG_PATH',
  });
}

function refusedCredentials(url: URL, credentials: Credentials): TransferError {
  return new TransferError(
    "credentials",
    `${plainText(url.host)} refused the credentials of user ${
      plainText(credentials.username)
    } from ${credentials.origin}`,
    { hint: "Check the user and the password or token" },
  );
}

function unknownChallenge(url: URL, challenges: readonly Challenge[]): TransferError {
  const schemes = challenges.map(({ scheme }) => plainText(scheme, 40)).slice(0, 5).join(", ");
  return new TransferError(
    "credentials",
    `${plainText(url.host)} asks for an authentication that denroot does not know: ${schemes}`,
  );
}
