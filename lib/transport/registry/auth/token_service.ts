/** Tokens for Bearer challenges: a GET from the token service, or a POST of a refresh token. */

import { Buffer } from "node:buffer";
import { plainText } from "../../../text/quote_text.ts";
import type { Challenge } from "./challenge.ts";
import { type Scope, scopesToAsk } from "./scope.ts";
import type { Credentials } from "../credentials/credentials.ts";
import type { HttpClient, HttpResponse } from "../../../http/client.ts";
import type { RegistryLimits } from "../limits.ts";
import {
  isRedirect,
  type MayUseHttp,
  redirectTarget,
  tooManyRedirects,
} from "../../../http/redirect.ts";
import { readJsonAnswer } from "../answer.ts";
import { responseError } from "../response_error.ts";
import { shownUrl, TransferError } from "../../../http/transfer_error.ts";

interface TokenRequest {
  readonly realm: URL;
  readonly service?: string | undefined;
  readonly scopes: readonly string[];
  readonly credentials?: Credentials | undefined;
}

export interface TokenContext {
  readonly http: HttpClient;
  readonly limits: RegistryLimits;
  readonly mayUseHttp: MayUseHttp;
}

/** A token for `request`. Throws code `credentials` when the service refuses. */
export async function fetchToken(
  request: TokenRequest,
  context: TokenContext,
  signal: AbortSignal,
): Promise<string> {
  const { credentials } = request;
  if (credentials !== undefined && isRefreshToken(credentials)) {
    const response = await postRefreshToken(request, credentials, context, signal);
    // A service without POST may accept the same token as a password.
    if (response.status !== 404 && response.status !== 405) {
      return await readToken(response, request, context.limits);
    }
    await response.body.textStart(context.limits.errorBytes);
  }
  return await readToken(await getToken(request, context, signal), request, context.limits);
}

/** What to ask the challenge's token service for. Throws code `registry` when there is none. */
export function toTokenRequest(
  challenge: Challenge,
  scopes: readonly Scope[],
  registryUrl: URL,
): Omit<TokenRequest, "credentials"> {
  const text = challenge.parameters.get("realm") ?? "";
  const realm = URL.parse(text, registryUrl);
  if (text === "" || realm === null || !/^https?:$/.test(realm.protocol)) {
    throw new TransferError(
      "registry",
      `${plainText(registryUrl.host)} asks for a token, but names no usable token service`,
    );
  }
  const service = challenge.parameters.get("service");
  return {
    realm,
    ...(service && { service }),
    scopes: scopesToAsk(scopes, challenge.parameters.get("scope") ?? ""),
  };
}

/**
 * Throws when the token service may not be asked at all, or not with these credentials: a password
 * never goes to another host over plain HTTP.
 */
export function checkRealm(
  realm: URL,
  registryUrl: URL,
  credentials: Credentials | undefined,
  mayUseHttp: MayUseHttp,
): void {
  if (realm.protocol === "https:") return;
  if (!mayUseHttp(realm)) {
    throw new TransferError(
      "credentials",
      `${plainText(registryUrl.host)} has a token service that is reached over plain HTTP: ${
        shownUrl(realm)
      }`,
      { hint: "If you trust that host and the network, set ENROOT_ALLOW_HTTP=yes" },
    );
  }
  if (credentials === undefined || realm.hostname === registryUrl.hostname) return;
  if (credentials.host === realm.host || credentials.host === realm.hostname) return;
  throw new TransferError(
    "credentials",
    `The password for ${plainText(registryUrl.host)} is not sent to another host, ${
      plainText(realm.host)
    }, over plain HTTP`,
    { hint: "If that host should get the password, keep the credentials under its name" },
  );
}

export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

/** Azure's user of zeros and the credential helpers' user `<token>` mark a refresh token. */
function isRefreshToken(credentials: Credentials): boolean {
  return credentials.identityToken !== undefined || credentials.username === "<token>" ||
    credentials.username === "00000000-0000-0000-0000-000000000000";
}

async function postRefreshToken(
  request: TokenRequest,
  credentials: Credentials,
  context: TokenContext,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const form = serviceParameter(request);
  form.set("grant_type", "refresh_token");
  form.set("client_id", "denroot");
  form.set("scope", request.scopes.join(" "));
  form.set("refresh_token", credentials.identityToken ?? credentials.password);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return await context.http.send({
    method: "POST",
    url: request.realm,
    headers,
    body: form.toString(),
    signal,
  });
}

async function getToken(
  request: TokenRequest,
  context: TokenContext,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const { credentials } = request;
  const start = new URL(request.realm);
  for (const [name, value] of serviceParameter(request)) start.searchParams.append(name, value);
  for (const scope of request.scopes) start.searchParams.append("scope", scope);
  if (credentials !== undefined) start.searchParams.set("account", credentials.username);
  let url = start;
  for (let redirects = 0; redirects <= context.limits.redirects; redirects++) {
    const authorization: Record<string, string> = credentials !== undefined &&
        url.origin === start.origin
      ? { authorization: basicAuthorization(credentials.username, passwordOf(credentials)) }
      : {};
    const response = await context.http.send({
      method: "GET",
      url,
      headers: authorization,
      signal,
    });
    if (!isRedirect(response)) return response;
    await response.body.textStart(context.limits.errorBytes);
    url = redirectTarget(response, context.mayUseHttp);
  }
  throw tooManyRedirects(start, context.limits.redirects);
}

function serviceParameter(request: TokenRequest): URLSearchParams {
  return new URLSearchParams(request.service === undefined ? {} : { service: request.service });
}

function passwordOf(credentials: Credentials): string {
  return credentials.password || (credentials.identityToken ?? "");
}

async function readToken(
  response: HttpResponse,
  request: TokenRequest,
  limits: RegistryLimits,
): Promise<string> {
  const where = `The token service ${shownUrl(request.realm)}`;
  if (response.status !== 200) throw await refusal(response, request, where, limits);
  const bytes = await readJsonAnswer(response, where, limits.tokenBytes, () => invalid(where));
  let answer: { token?: unknown; access_token?: unknown };
  try {
    answer = JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    // The parser's message may quote the token: it is not given as the cause.
    throw invalid(where);
  }
  const token = [answer.token, answer.access_token].find((value) =>
    typeof value === "string" && /^[\x21-\x7e]+$/.test(value)
  );
  if (token === undefined) throw invalid(where);
  return token as string;
}

async function refusal(
  response: HttpResponse,
  request: TokenRequest,
  where: string,
  limits: RegistryLimits,
): Promise<TransferError> {
  const error = await responseError(response, where, limits);
  const { credentials } = request;
  if (error.transient || credentials === undefined || response.status >= 500) return error;
  return new TransferError(
    "credentials",
    `${where} refused the credentials of user ${
      plainText(credentials.username)
    } from ${credentials.origin}`,
    { cause: error, status: error.status, hint: "Check the user and the password or token" },
  );
}

function invalid(where: string): TransferError {
  return new TransferError("registry", `${where} sent no token`);
}
