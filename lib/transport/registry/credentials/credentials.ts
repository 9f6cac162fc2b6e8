/** A user name and password, or a token, for a registry. Kept in memory only, never shown. */

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** A refresh token for the registry's token service: it is posted, not sent as a password. */
  readonly identityToken?: string;
  /** Where they come from, fit to be shown. */
  readonly origin: string;
  /** The host that they are kept for: the registry's, or the token service's. */
  readonly host: string;
}

/** Which credentials are looked for. */
export interface CredentialsQuery {
  /** The registry's host, with its port if it has one. */
  readonly registry: string;
  readonly repository: string;
  /** The host of the token service, with its port if it has one. */
  readonly realmHost?: string;
  /** The user that the reference names: no other user's credentials are taken. */
  readonly user?: string;
}

export interface CredentialsFinder {
  /** Undefined where there are none. Throws code `credentials` for those that cannot be read. */
  find(query: CredentialsQuery, signal: AbortSignal): Promise<Credentials | undefined>;
}
