/** A registry's token server: it signs JWTs for clients that know the password. */

import { createSign, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type Certificate, certificateBody } from "./certificates.ts";

export interface TokenServer {
  /** The URL that challenges name as their realm. */
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** `METHOD scope user`, in the order of arrival. */
  readonly requests: string[];
  stop(): Promise<void>;
}

interface TokenServerOptions {
  readonly certificate: Certificate;
  /** Without it, anyone may pull. */
  readonly user?: string;
  readonly password?: string;
  readonly lifetimeSeconds?: number;
}

export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const service = "test-registry";
  const issuer = "test-issuer";
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url!, "http://localhost");
    const scopes = url.searchParams.getAll("scope");
    const [user, password] = basicCredentials(request);
    requests.push(`${request.method} ${scopes.join(" ")} ${user ?? "-"}`);
    const known = user !== undefined && user === options.user && password === options.password;
    if (user !== undefined && !known) {
      response.writeHead(401, { "content-type": "application/json" });
      response.end('{"details":"incorrect username or password"}');
      return;
    }
    const allowed = options.user === undefined || known;
    const token = signToken(options.certificate, {
      iss: issuer,
      sub: user ?? "",
      aud: service,
      exp: seconds() + (options.lifetimeSeconds ?? 300),
      nbf: seconds() - 10,
      iat: seconds(),
      jti: randomUUID(),
      access: allowed ? scopes.flatMap((scope) => accessOf(scope, known)) : [],
    });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ token, expires_in: options.lifetimeSeconds ?? 300 }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    realm: `http://127.0.0.1:${port}/token`,
    service,
    issuer,
    requests,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** `repository:NAME:pull,push` -> the claim that grants what was asked for, or pulling alone. */
function accessOf(scope: string, mayWrite: boolean): unknown[] {
  const match = scope.match(/^(\w+):(.+):([\w,*]+)$/);
  if (match === null) return [];
  const actions = mayWrite ? match[3]!.split(",") : ["pull"];
  return [{ type: match[1], name: match[2], actions }];
}

function signToken(certificate: Certificate, claims: unknown): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = encode({ typ: "JWT", alg: "RS256", x5c: [certificateBody(certificate.certFile)] });
  const text = `${header}.${encode(claims)}`;
  const signer = createSign("RSA-SHA256").update(text);
  return `${text}.${signer.sign(readFileSync(certificate.keyFile, "utf8"), "base64url")}`;
}

function basicCredentials(request: IncomingMessage): [string | undefined, string | undefined] {
  const match = request.headers.authorization?.match(/^Basic (.+)$/);
  if (match === null || match === undefined) return [undefined, undefined];
  const text = Buffer.from(match[1]!, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return [text.slice(0, colon), text.slice(colon + 1)];
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
