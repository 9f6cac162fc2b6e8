/** What the tests of authentication share: credentials files, challenges, tokens. */

import { Buffer } from "node:buffer";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer } from "../../../helpers/fake_registry.ts";

/** A configuration directory with this credentials file, below a test's `scratch`. */
export function configIn(scratch: string, credentials: string): { configPath: string } {
  const configPath = mkdtempSync(join(scratch, "credentials-"));
  writeFileSync(join(configPath, ".credentials"), credentials, { mode: 0o600 });
  return { configPath };
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

export const SCOPE = "repository:team/app:pull";
export const BEARER = `Bearer realm="{origin}/token",service="reg",scope="${SCOPE}"`;
export const TOKEN_REQUEST = `GET /token?service=reg&scope=${encodeURIComponent(SCOPE)}`;

export function challenge(value: string | readonly string[]): Answer {
  return { status: 401, headers: { "WWW-Authenticate": value } };
}

export function token(value: string, name = "token"): Answer {
  return { body: JSON.stringify({ [name]: value, expires_in: 300 }) };
}
