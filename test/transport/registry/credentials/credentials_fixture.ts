/** What the tests of credentials share: a home directory with files, and a search in it. */

import { Buffer } from "node:buffer";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CredentialsQuery } from "../../../../lib/transport/registry/credentials/credentials.ts";
import {
  type AskPassword,
  StoredCredentials,
} from "../../../../lib/transport/registry/credentials/stored_credentials.ts";
import { makeSettings } from "../registry_fixture.ts";

interface Home {
  /** Contents by path below the home directory. */
  readonly files?: Readonly<Record<string, string | object>>;
  readonly mode?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly ask?: AskPassword;
  readonly helpers?: readonly string[];
  /** The first line of the log, which soon tells of a slow program, is followed by an abort. */
  readonly abortWhenTold?: boolean;
  /** Gets each line of the log, also when there is an error in the end. */
  readonly log?: (line: string) => void;
}

/** Searches in homes of their own, below a test's `scratch`. */
export function finderIn(scratch: string) {
  return (home: Home, query: Partial<CredentialsQuery> = {}) =>
    find(mkdtempSync(join(scratch, "home-")), home, query);
}

async function find(root: string, home: Home, query: Partial<CredentialsQuery>) {
  for (const [name, content] of Object.entries(home.files ?? {})) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    chmodSync(path, name.startsWith("bin/") ? 0o755 : home.mode ?? 0o600);
  }
  const env: Record<string, string> = { HOME: root, PATH: `${join(root, "bin")}:/usr/bin:/bin` };
  for (const [name, value] of Object.entries(home.env ?? {})) env[name] = value.replace("~", root);
  const log: string[] = [];
  const stop = new AbortController();
  const credentials = new StoredCredentials(
    makeSettings({ configPath: join(root, "enroot"), environment: env }),
    {
      onProgress: (event) => {
        if (event.type !== "log") return;
        log.push(`${event.level}: ${event.message}`);
        home.log?.(log.at(-1)!);
        if (home.abortWhenTold) stop.abort();
      },
      ...(home.abortWhenTold && { patienceMs: 100 }),
      ask: home.ask ?? (() => Promise.resolve(undefined)),
      ...(home.helpers && { helpers: home.helpers }),
    },
  );
  const wanted = { registry: "reg.io", repository: "team/app", ...query };
  const found = await credentials.find(wanted, stop.signal);
  const shown = found && `${found.username}:${found.identityToken ?? found.password}`;
  return { found: shown, log: log.map((line) => line.replaceAll(root, "~")) };
}

export function auth(text: string) {
  return { auth: Buffer.from(text).toString("base64") };
}

export const NETRC = "enroot/.credentials";
export const PODMAN = ".config/containers/auth.json";
export const DOCKER = ".docker/config.json";
