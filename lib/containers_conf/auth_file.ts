/** The files of `docker login` and `podman login` (containers-auth.json(5)). */

import { Buffer } from "node:buffer";
import { DenrootError } from "../errors.ts";
import { isObject, type JsonObject } from "../oci/json_fields.ts";
import { quotePath, quoteText } from "../text/quote_text.ts";
import { hidePassword } from "../text/redact.ts";

export interface AuthFile {
  /** By host, or by host and the beginning of a repository's path, both in normal form. */
  readonly auths: ReadonlyMap<string, AuthEntry>;
  /** Host -> name of the helper program. */
  readonly credHelpers: ReadonlyMap<string, string>;
  /** The helper for all other hosts. */
  readonly credsStore?: string;
}

export interface AuthEntry {
  readonly username: string;
  readonly password: string;
  readonly identityToken?: string;
}

/** Throws code `credentials`. The message has the path and never the content. */
export function parseAuthFile(text: string, path: string): AuthFile {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // The parser's message may quote a password: it is not given as the cause.
    throw invalid(path, "it is not JSON");
  }
  if (!isObject(content)) throw invalid(path, "it is not a JSON object");
  const auths = new Map<string, AuthEntry>();
  for (const [key, value] of Object.entries(objectOf(content, "auths", path))) {
    const entry = toEntry(value, key, path);
    const name = normalKey(key);
    if (entry !== undefined && !auths.has(name)) auths.set(name, entry);
  }
  const credHelpers = new Map<string, string>();
  for (const [key, value] of Object.entries(objectOf(content, "credHelpers", path))) {
    credHelpers.set(normalKey(key), helperName(value, path));
  }
  const store = content["credsStore"];
  return {
    auths,
    credHelpers,
    ...(store !== undefined && store !== "" && { credsStore: helperName(store, path) }),
  };
}

/** `https://index.docker.io/v1/` -> `index.docker.io`. The path of a repository stays. */
function normalKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, "").replace(/\/+$/, "");
  const [host = "", ...path] = bare.split("/");
  const isApi = path.length === 1 && /^v[12]$/.test(path[0]!);
  return [host.toLowerCase(), ...(isApi ? [] : path)].join("/");
}

/** Undefined for an empty entry: credential stores leave such entries behind. */
function toEntry(value: unknown, key: string, path: string): AuthEntry | undefined {
  if (!isObject(value)) {
    throw invalid(path, `the entry ${quoteText(hidePassword(key))} is not an object`);
  }
  const text = (name: string) => typeof value[name] === "string" ? value[name] as string : "";
  const identityToken = text("identitytoken");
  const decoded = Buffer.from(text("auth"), "base64").toString("utf8").replace(/\0+$/, "");
  const colon = decoded.indexOf(":");
  if (decoded !== "" && colon < 0) {
    throw invalid(
      path,
      `the "auth" of ${quoteText(hidePassword(key))} is not the base64 of USER:PASSWORD`,
    );
  }
  const username = decoded === "" ? text("username") : decoded.slice(0, colon);
  const password = decoded === "" ? text("password") : decoded.slice(colon + 1);
  if (identityToken !== "") return { username: username || "<token>", password, identityToken };
  return username === "" && password === "" ? undefined : { username, password };
}

function objectOf(content: JsonObject, name: string, path: string): JsonObject {
  const value = content[name] ?? {};
  if (!isObject(value)) throw invalid(path, `its "${name}" is not an object`);
  return value;
}

/** It becomes part of a program's name: with a slash the program would not come from PATH. */
function helperName(value: unknown, path: string): string {
  if (typeof value === "string" && /^[\w.+-]+$/.test(value)) return value;
  throw invalid(path, "it has a credential helper whose name cannot be part of a program's name");
}

function invalid(path: string, why: string): DenrootError {
  return new DenrootError("credentials", `${quotePath(path)} cannot be used: ${why}`);
}
