/** The credentials that users keep in files and helpers, or type. */

import { join } from "node:path";
import type { Settings } from "../../../config/settings.ts";
import { DenrootError, hasCode, messageOf } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import type { OnProgress } from "../../../types/progress.ts";
import { askOnTerminal } from "../../../system/host/ask_on_terminal.ts";
import {
  type AuthEntry,
  type AuthFile,
  parseAuthFile,
} from "../../../containers_conf/auth_file.ts";
import { askHelper } from "./credential_helper.ts";
import { hostsOf, keysOf, serverOf } from "./credential_keys.ts";
import type { Credentials, CredentialsFinder, CredentialsQuery } from "./credentials.ts";
import { authFilePaths, netrcPath, readCredentialsFile } from "./credentials_files.ts";
import { type NetrcEntry, parseNetrc, uselessLines } from "./netrc.ts";
import { substitutePassword } from "./substitute_password.ts";

/** Asks the person at the terminal; undefined where there is no terminal. */
export type AskPassword = (question: string, signal: AbortSignal) => Promise<string | undefined>;

/** What `credential-helpers` calls the files of podman and docker. */
const AUTH_FILES = "containers-auth.json";
const PATIENCE_MS = 5000;

interface StoredCredentialsOptions {
  readonly onProgress?: OnProgress | undefined;
  readonly ask?: AskPassword;
  /** The only file to read; it has the format of podman and docker. */
  readonly authFile?: string | undefined;
  /** The password of the user that the query names. It goes before all others. */
  readonly password?: string | undefined;
  /** `credential-helpers` of registries.conf: they are asked in this order. */
  readonly helpers?: readonly string[];
  /** How long a program may run before a message names it. */
  readonly patienceMs?: number;
}

/**
 * Looks into `$ENROOT_CONFIG_PATH/.credentials`, then into the files of podman and docker and what
 * else registries.conf names, then at netrc's `default`. For a user that the reference names it
 * then asks for the password. A file is read only when a registry asks for credentials.
 */
export class StoredCredentials implements CredentialsFinder {
  readonly #settings: Settings;
  readonly #onProgress: OnProgress | undefined;
  readonly #ask: AskPassword;
  readonly #helpers: readonly string[];
  readonly #authFile: string | undefined;
  readonly #password: string | undefined;
  readonly #patienceMs: number;
  readonly #told = new Set<string>();
  readonly #typed = new Map<string, string>();

  constructor(settings: Settings, options: StoredCredentialsOptions = {}) {
    const { onProgress, ask, helpers, authFile, password, patienceMs = PATIENCE_MS } = options;
    this.#authFile = authFile;
    this.#password = password;
    this.#patienceMs = patienceMs;
    this.#settings = settings;
    this.#onProgress = onProgress;
    this.#ask = ask ?? ((question, signal) => askOnTerminal(question, signal, { isHidden: true }));
    this.#helpers = helpers?.length ? helpers : [AUTH_FILES];
  }

  async find(query: CredentialsQuery, signal: AbortSignal): Promise<Credentials | undefined> {
    const found = this.#hasOptions(query)
      ? await this.#fromOptions(query, signal)
      : await this.#fromSettings(query, signal);
    if (found !== undefined) this.#tell("info", `Using credentials from ${found.origin}`);
    return found;
  }

  #hasOptions({ user }: CredentialsQuery): boolean {
    return this.#authFile !== undefined || (this.#password !== undefined && user !== undefined);
  }

  async #fromSettings(
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    const path = netrcPath(this.#settings);
    const entries = parseNetrc(await readCredentialsFile(path, this.#warn) ?? "");
    for (const { line, reason } of uselessLines(entries)) {
      this.#warn(`${plainText(path, 300)}, line ${line}: the entry has no effect: ${reason}`);
    }
    return await this.#fromNetrc(entries, path, query, signal) ??
      await this.#fromHelpers(query, signal) ??
      await this.#fromDefault(entries, path, query, signal) ??
      await this.#fromPerson(query, signal);
  }

  /** Nothing else is read when there is a password or a file for this registry alone. */
  async #fromOptions(
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    const { user, registry } = query;
    if (this.#password !== undefined && user !== undefined) {
      return { username: user, password: this.#password, origin: "the options", host: registry };
    }
    const path = this.#authFile!;
    const text = await readCredentialsFile(path, this.#warn);
    if (text === undefined) throw noFile(path);
    return await this.#fromAuthFiles([path], query, signal) ??
      await this.#fromPerson(query, signal);
  }

  async #fromNetrc(
    entries: readonly NetrcEntry[],
    path: string,
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    for (const host of hostsOf(query, { isPortOptional: true })) {
      const entry = entries.find(({ machine, login, password }) =>
        machine?.toLowerCase() === host && password !== undefined && isUser(login, query)
      );
      if (entry !== undefined) return await this.#fromEntry(entry, path, host, signal);
    }
    return undefined;
  }

  async #fromDefault(
    entries: readonly NetrcEntry[],
    path: string,
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    const entry = entries.find(({ machine, login, password }) =>
      machine === undefined && password !== undefined && isUser(login, query)
    );
    return entry && await this.#fromEntry(entry, path, query.registry, signal);
  }

  async #fromEntry(
    entry: NetrcEntry,
    path: string,
    host: string,
    signal: AbortSignal,
  ): Promise<Credentials> {
    const machine = entry.machine === undefined ? "default" : `machine ${plainText(entry.machine)}`;
    const origin = `${plainText(path, 300)}, line ${entry.line} (${machine})`;
    const text = entry.password ?? "";
    const password = entry.isExpression
      ? await this.#tellIfSlow(
        `The password command ${programIn(text)}of ${origin}`,
        substitutePassword({ text, origin }, this.#settings.environment, signal),
      )
      : text;
    return { username: entry.login ?? "", password, origin: plainText(path, 300), host };
  }

  async #fromHelpers(
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    for (const helper of this.#helpers) {
      const found = helper === AUTH_FILES
        ? await this.#fromAuthFiles(authFilePaths(this.#settings.environment), query, signal)
        // These helpers get the registry's plain name from podman, Docker Hub's too.
        : await this.#fromStore(helper, hostsOf(query), query, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #fromAuthFiles(
    paths: readonly string[],
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    for (const path of paths) {
      const text = await readCredentialsFile(path, this.#warn);
      if (text === undefined) continue;
      const found = await this.#fromAuthFile(parseAuthFile(text, path), path, query, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #fromAuthFile(
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
    return await this.#fromStore(credsStore, hostsOf(query).map(serverOf), query, signal);
  }

  async #fromStore(
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
        this.#warn(`${error.message}: the credentials store of the configuration is not used`);
        return undefined;
      }
      const found = toCredentials(entry, host, query);
      if (found !== undefined) return { ...found, origin: `docker-credential-${store}` };
    }
    return undefined;
  }

  #askProgram(
    helper: string,
    server: string,
    signal: AbortSignal,
  ): Promise<AuthEntry | undefined> {
    const asked = askHelper(helper, server, this.#settings.environment, signal);
    return this.#tellIfSlow(`docker-credential-${helper}`, asked);
  }

  /** A program may wait for a person, or for ever: the user should know what is waited for. */
  async #tellIfSlow<T>(what: string, work: Promise<T>): Promise<T> {
    const message = `${what} has not answered for ${
      this.#patienceMs / 1000
    } seconds; still waiting`;
    const timer = setTimeout(() => this.#tell("warn", message), this.#patienceMs);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
    }
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

  async #fromPerson(
    query: CredentialsQuery,
    signal: AbortSignal,
  ): Promise<Credentials | undefined> {
    const { user, registry } = query;
    if (user === undefined) return undefined;
    const key = `${user}@${registry}`;
    const shown = `user ${plainText(user)} at ${plainText(registry)}`;
    const password = this.#typed.get(key) ?? await this.#ask(`Password of ${shown}: `, signal);
    if (password === undefined || password === "") {
      throw new DenrootError("credentials", `There is no password for ${shown}`, {
        hint:
          `Add "machine ${plainText(registry)} login ${plainText(user)} password PASSWORD" to ` +
          plainText(join(this.#settings.configPath, ".credentials"), 300),
      });
    }
    this.#typed.set(key, password);
    return { username: user, password, origin: "the terminal", host: registry };
  }

  readonly #warn = (message: string) => this.#tell("warn", message);

  /** Each message once: a long import asks for tokens again and again. */
  #tell(level: "info" | "warn", message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#onProgress?.({ type: "log", level, message });
  }
}

/** The name of the program in `$(program …)`, for a message. Its arguments may be secrets. */
function programIn(expression: string): string {
  const name = /^"?\$\(\s*([\w./+-]+)/.exec(expression)?.[1];
  return name === undefined ? "" : `${plainText(name)} `;
}

function noFile(path: string): DenrootError {
  return new DenrootError("credentials", `There is no credentials file ${plainText(path, 300)}`);
}

function isUser(login: string | undefined, { user }: CredentialsQuery): boolean {
  return login !== undefined && (user === undefined || login === user);
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
