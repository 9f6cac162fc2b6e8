/** Parses the address of an engine's API, from `DOCKER_HOST`, `CONTAINER_HOST` and contexts. */

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

/** An endpoint that only the engine's own program can reach. */
interface ForeignEndpoint {
  readonly type: "foreign";
  readonly url: string;
}

/** Certificates and key as PEM. */
export interface EngineTls {
  /** The only authorities that are trusted; never left out where `verify` is true. */
  readonly ca?: string | string[];
  /** The client's certificate. */
  readonly cert?: string;
  readonly key?: string;
  /** Whether the server's certificate is checked. */
  readonly verify: boolean;
}

/** Docker's port for plain HTTP. Docker uses it for every host without a port, also with TLS. */
const DEFAULT_PORT = 2375;

/**
 * Parses `unix:///PATH`, `tcp://HOST[:PORT]`, `HOST[:PORT]` and `ssh://…`. `setting` is the name of
 * the setting, for messages. `tls` is used for TCP only. Throws code `settings`.
 */
export function parseEndpoint(text: string, setting: string, tls?: EngineTls): Endpoint {
  const [, scheme = "tcp", rest = ""] = /^(?:([a-z+]+):\/\/)?(.*)$/s.exec(text.trim()) ?? [];
  switch (scheme) {
    case "unix":
      if (rest.startsWith("/")) return { type: "unix", path: rest };
      throw badEndpoint(text, setting, "write an absolute path, as in unix:///run/engine.sock");
    case "tcp":
      return parseTcp(rest, text, setting, tls);
    case "ssh":
      return { type: "foreign", url: text.trim() };
    default:
      throw badEndpoint(text, setting, "write unix://, tcp:// or ssh://");
  }
}

/** Gives the endpoint's address for messages, without the user and password of a URL. */
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
  if (rest.includes("@")) {
    throw badEndpoint(
      text,
      setting,
      "only ssh:// has a user; write tcp://HOST:PORT or ssh://USER@HOST",
    );
  }
  if (match === null || port < 1 || port > 65_535) {
    throw badEndpoint(text, setting, "write tcp://HOST:PORT");
  }
  const host = match[1] ?? (match[2] || "localhost");
  return { type: "tcp", host, port, ...(tls && { tls }) };
}

function badEndpoint(text: string, setting: string, rule: string): DenrootError {
  const shown = quotePath(withoutUser(text));
  return new DenrootError("settings", `${setting} has the invalid address ${shown}: ${rule}`);
}

/** A password may contain any character: all up to the last `@` is hidden. */
function withoutUser(text: string): string {
  return text.replace(/^([a-z+]+:\/\/)?.*@/s, "$1***@");
}
