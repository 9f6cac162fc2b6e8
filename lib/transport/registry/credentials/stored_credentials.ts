/** The credentials that users keep in files and helpers, or type. */

import { join } from "node:path";
import type { Settings } from "../../../config/settings.ts";
import { DenrootError } from "../../../errors.ts";
import { plainText } from "../../../text/quote_text.ts";
import type { OnProgress } from "../../../types/progress.ts";
import { askOnTerminal } from "../../../system/host/ask_on_terminal.ts";
import { hostsOf } from "./credential_keys.ts";
import type { Credentials, CredentialsFinder, CredentialsQuery } from "./credentials.ts";
import { authFilePaths, netrcPath, readCredentialsFile } from "./credentials_files.ts";
import { EngineCredentials } from "./engine_credentials.ts";
import { type NetrcEntry, parseNetrc, uselessLines } from "./netrc.ts";
import { substitutePassword } from "./substitute_password.ts";
import { type Patience, tellIfSlow } from "./tell_if_slow.ts";

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
  readonly #patience: Patience;
  readonly #engines: EngineCredentials;
  readonly #told = new Set<string>();
  readonly #typed = new Map<string, string>();

  constructor(settings: Settings, options: StoredCredentialsOptions = {}) {
    const { onProgress, ask, helpers, authFile, password, patienceMs = PATIENCE_MS } = options;
    this.#authFile = authFile;
    this.#password = password;
    this.#patience = { patienceMs, warn: this.#warn };
    this.#engines = new EngineCredentials(settings.environment, this.#patience);
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
    return await this.#engines.fromFiles([path], query, signal) ??
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
      ? await tellIfSlow(
        `The password command ${programIn(text)}of ${origin}`,
        substitutePassword({ text, origin }, this.#settings.environment, signal),
        this.#patience,
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
        ? await this.#engines.fromFiles(authFilePaths(this.#settings.environment), query, signal)
        // These helpers get the registry's plain name from podman, Docker Hub's too.
        : await this.#engines.fromStore(helper, hostsOf(query), query, signal);
      if (found !== undefined) return found;
    }
    return undefined;
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
