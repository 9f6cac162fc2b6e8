/** What a registry's user proves himself with. Kept in memory only, never shown. */

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** A refresh token of the registry's token service: to be posted, not sent as a password. */
  readonly identityToken?: string;
  /** Where they come from, fit to be shown. */
  readonly origin: string;
  /** The host that they are kept for: the registry's, or the token service's. */
  readonly host: string;
}

/** Whose credentials are looked for. */
export interface CredentialsQuery {
  /** The registry's host, with its port if it has one. */
  readonly registry: string;
  readonly repository: string;
  /** The host of the token service, with its port if it has one. */
  readonly realmHost?: string;
  /** The user that the reference names: nobody else will do. */
  readonly user?: string;
}

export type FindCredentials = (
  query: CredentialsQuery,
  signal: AbortSignal,
) => Promise<Credentials | undefined>;
