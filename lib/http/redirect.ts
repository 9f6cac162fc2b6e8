/** Redirects: followed by hand, so that nothing secret goes along. */

import type { HttpResponse } from "./client.ts";
import { shownUrl, TransferError } from "./transfer_error.ts";

/** Whether a URL's host may be talked to in the clear. */
export type MayUseHttp = (url: URL) => boolean;

export function isRedirect(response: HttpResponse): boolean {
  return [301, 302, 303, 307, 308].includes(response.status) &&
    response.header("location") !== undefined;
}

/** Where a redirect leads; throws when it may not be followed. */
export function redirectTarget(response: HttpResponse, mayUseHttp: MayUseHttp): URL {
  const target = URL.parse(response.header("location") ?? "", response.url);
  if (target === null || !/^https?:$/.test(target.protocol)) {
    throw new TransferError(
      "registry",
      `${shownUrl(response.url)} redirects to what is no http:// or https:// URL`,
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
  // Neither a user in a Location nor a fragment is for the wire.
  target.username = target.password = target.hash = "";
  return target;
}

export function tooManyRedirects(start: URL, limit: number): TransferError {
  return new TransferError("registry", `${shownUrl(start)} redirects more than ${limit} times`);
}
