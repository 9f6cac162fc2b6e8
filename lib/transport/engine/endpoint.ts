/** Where an engine's API is: the text of `DOCKER_HOST`, `CONTAINER_HOST` and contexts, taken apart. */

import { DenrootError } from "../../errors.ts";
import { plainText, quotePath } from "../../text/quote_text.ts";

export type Endpoint = UnixEndpoint | TcpEndpoint | ForeignEndpoint;

export interface UnixEndpoint {
  readonly type: "unix";
  readonly path: string;
}

export interface TcpEndpoint {
  readonly type: "tcp";
  readonly host: string;
  readonly port: number;
  /** HTTPS instead of HTTP. */
  readonly tls?: EngineTls;
}

/** One that only the engine's own program can reach. */
export interface ForeignEndpoint {
  readonly type: "foreign";
  readonly url: string;
}

/** Certificates and key as PEM. */
export interface EngineTls {
  /** The only authorities that are trusted; never left out where `verify` is true. */
  readonly ca?: string | string[];
  /** The client's own. */
  readonly cert?: string;
  readonly key?: string;
  /** Whether the server has to prove who it is. */
  readonly verify: boolean;
}

/** Docker's port for plain HTTP, which it takes for any host without a port, TLS or not. */
const DEFAULT_PORT = 2375;

/**
 * Reads `unix:///PATH`, `tcp://HOST[:PORT]`, `HOST[:PORT]` and `ssh://…`; `setting` says where it
 * stands. `tls` holds for TCP only. Throws code `settings`.
 */
export function parseEndpoint(text: string, setting: string, tls?: EngineTls): Endpoint {
  const [, scheme = "tcp", rest = ""] = /^(?:([a-z+]+):\/\/)?(.*)$/s.exec(text.trim()) ?? [];
  switch (scheme) {
    case "unix":
      if (rest.startsWith("/")) return { type: "unix", path: rest };
      throw badEndpoint(text, setting, "a socket's path is absolute: unix:///run/engine.sock");
    case "tcp":
      return parseTcp(rest, text, setting, tls);
    case "ssh":
      return { type: "foreign", url: text.trim() };
    default:
      throw badEndpoint(text, setting, "denroot takes unix://, tcp:// and ssh://");
  }
}

/** For messages; without what may be secret in a URL. */
export function formatEndpoint(endpoint: Endpoint): string {
  switch (endpoint.type) {
    case "unix":
      return plainText(`unix://${endpoint.path}`, 300);
    case "tcp": {
      const { host, port } = endpoint;
      return plainText(`tcp://${host.includes(":") ? `[${host}]` : host}:${port}`, 300);
    }
    case "foreign":
      return plainText(withoutUser(endpoint.url), 300);
  }
}

function parseTcp(
  rest: string,
  text: string,
  setting: string,
  tls: EngineTls | undefined,
): TcpEndpoint {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@[\]]*))(?::(\d{1,5}))?\/?$/.exec(rest);
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (match === null || port < 1 || port > 65_535) {
    throw badEndpoint(text, setting, "a host is written tcp://HOST:PORT");
  }
  const host = match[1] ?? (match[2] || "localhost");
  return { type: "tcp", host, port, ...(tls && { tls }) };
}

function badEndpoint(text: string, setting: string, rule: string): DenrootError {
  const shown = quotePath(withoutUser(text));
  return new DenrootError("settings", `${setting} cannot be used: ${shown}: ${rule}`);
}

/** A password may contain any character: all up to the last `@` goes. */
function withoutUser(text: string): string {
  return text.replace(/^([a-z+]+:\/\/)?.*@/s, "$1");
}
