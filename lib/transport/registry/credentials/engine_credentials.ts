/** The credentials of podman and docker: in their files, and with their helpers. */

import type { Settings } from "../../../config/settings.ts";
import {
  type AuthEntry,
  type AuthFile,
  parseAuthFile,
} from "../../../containers_conf/auth_file.ts";
import { DenrootError, hasCode, messageOf } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import { askHelper } from "./credential_helper.ts";
import { hostsOf, keysOf, serverOf } from "./credential_keys.ts";
import type { Credentials, CredentialsQuery } from "./credentials.ts";
import { readCredentialsFile } from "./credentials_files.ts";
import { type Patience, tellIfSlow } from "./tell_if_slow.ts";

/** Its methods give undefined where nothing is kept for the query. */
export class EngineCredentials {
  readonly #environment: Settings["environment"];
  readonly #patience: Patience;

  constructor(environment: Settings["environment"], patience: Patience) {
    this.#environment = environment;
    this.#patience = patience;
  }

  /** The first that one of these files has, or a helper that it names. Absent files have none. */
  async fromFiles(
    paths: readonly string[],
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    for (const path of paths) {
      const text = await readCredentialsFile(path, this.#patience.warn);
      if (text === undefined) continue;
      const found = await this.#fromFile(parseAuthFile(text, path), path, query, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What the helper `store` has for one of these servers. It may be absent, with a warning. */
  async fromStore(
    store: string,
    servers: readonly string[],
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    for (const host of new Set(servers)) {
      let entry: AuthEntry | undefined;
      try {
        entry = await this.#askProgram(store, host, signal);
      } catch (error) {
        if (!hasCode(error, "not_found")) throw error;
        // The store is for all registries and may know nothing of this one. Desktop users copy such
        // a configuration to a cluster: an error would stop every import there.
        this.#patience.warn(
          `${error.message}: the credentials store of the configuration is not used`,
        );
        return undefined;
      }
      const found = toCredentials(entry, host, query);
      if (found !== undefined) return { ...found, origin: `docker-credential-${store}` };
    }
    return undefined;
  }

  async #fromFile(
    file: AuthFile,
    path: string,
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    for (const host of hostsOf(query)) {
      const helper = file.credHelpers.get(host);
      if (helper === undefined) continue;
      const found = toCredentials(await this.#fromHelper(helper, host, signal), host, query);
      if (found !== undefined) return { ...found, origin: `docker-credential-${helper}` };
    }
    for (const host of hostsOf(query)) {
      for (const key of keysOf(host, query.repository)) {
        const found = toCredentials(file.auths.get(key), host, query);
        if (found !== undefined) return { ...found, origin: plainText(path, 300) };
      }
    }
    const { credsStore } = file;
    if (credsStore === undefined) return undefined;
    return await this.fromStore(credsStore, hostsOf(query).map(serverOf), query, signal);
  }

  /** A helper that is configured for exactly this host must work. */
  async #fromHelper(
    helper: string,
    host: string,
    signal: AbortSignal,
  ): Promise<AuthEntry | undefined> {
    try {
      return await this.#askProgram(helper, serverOf(host), signal);
    } catch (error) {
      if (hasCode(error, "aborted")) throw error;
      throw new DenrootError("credentials", messageOf(error), {
        cause: error,
        hint: `The configuration names this helper for ${plainText(host)}`,
      });
    }
  }

  #askProgram(
    helper: string,
    server: string,
    signal: AbortSignal,
  ): Promise<AuthEntry | undefined> {
    const asked = askHelper(helper, server, this.#environment, signal);
    return tellIfSlow(`docker-credential-${helper}`, asked, this.#patience);
  }
}

function toCredentials(
  entry: AuthEntry | undefined,
  host: string,
  { user }: CredentialsQuery,
): Omit<Credentials, "origin"> | undefined {
  if (entry === undefined) return undefined;
  // Only the registry knows which user a token stands for.
  const isTheirs = user === undefined || entry.username === user || entry.username === "<token>";
  return isTheirs ? { ...entry, host } : undefined;
}
