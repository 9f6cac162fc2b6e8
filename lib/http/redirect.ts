/** Redirects: denroot follows them itself, so that no secret goes along. */

import type { HttpResponse } from "./client.ts";
import { shownUrl, TransferError } from "./transfer_error.ts";

/** Whether plain HTTP to a URL is allowed. */
export type MayUseHttp = (url: URL) => boolean;

export function isRedirect(response: HttpResponse): boolean {
  return [301, 302, 303, 307, 308].includes(response.status) &&
    response.header("location") !== undefined;
}

/** The target of a redirect. Throws `TransferError` when it may not be followed. */
export function redirectTarget(response: HttpResponse, mayUseHttp: MayUseHttp): URL {
  const target = URL.parse(response.header("location") ?? "", response.url);
  if (target === null || !/^https?:$/.test(target.protocol)) {
    throw new TransferError(
      "registry",
      `${shownUrl(response.url)} redirects to something that is not an http:// or https:// URL`,
    );
  }
  const isDowngrade = target.protocol === "http:" && response.url.protocol === "https:";
  if (isDowngrade && !mayUseHttp(target)) {
    throw new TransferError(
      "registry",
      `${shownUrl(response.url)} redirects from HTTPS to plain HTTP: ${shownUrl(target)}`,
      { hint: "If you trust that host and the network, set ENROOT_ALLOW_HTTP=yes" },
    );
  }
  // A user and a password in a Location would be sent as credentials.
  target.username = target.password = target.hash = "";
  return target;
}

export function tooManyRedirects(start: URL, limit: number): TransferError {
  return new TransferError("registry", `${shownUrl(start)} redirects more than ${limit} times`);
}
