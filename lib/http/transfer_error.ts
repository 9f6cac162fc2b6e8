/** Failures of an HTTP exchange, with what the retries need to know. */

import { DenrootError, type DenrootErrorOptions, type ErrorCode, messageOf } from "../errors.ts";
import { plainText } from "../text/quote_text.ts";

export interface TransferErrorOptions extends DenrootErrorOptions {
  /** Whether the same request may succeed later. */
  readonly transient?: boolean;
  /** What the server asked for, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The answer's status, when there was one. */
  readonly status?: number;
}

export class TransferError extends DenrootError {
  readonly transient: boolean;
  readonly retryAfterMs?: number;
  readonly status?: number;

  constructor(code: ErrorCode, message: string, options: TransferErrorOptions = {}) {
    super(code, message, options);
    this.transient = options.transient ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}

/** A URL fit to be shown: without user, password, query (signatures) and fragment. */
export function shownUrl(url: URL): string {
  return plainText(`${url.protocol}//${url.host}${url.pathname}`, 200);
}

/** A socket's, a resolver's or a TLS error -> what it means for the user. */
export function connectionError(error: unknown, url: URL, proxy?: URL): TransferError {
  const code = String((error as { code?: unknown } | null)?.code ?? "");
  const host = plainText(url.host);
  const text = messageOf(error);
  if (/ALERT_(?:CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|NO_CERT)/.test(code)) {
    return new TransferError(
      "network",
      `${host} did not take our client certificate, or wants one`,
      {
        cause: error,
        hint: `Put a pair client.cert and client.key into ~/.config/containers/certs.d/${host}`,
      },
    );
  }
  if (isCertificateError(code, text)) {
    return new TransferError(
      "network",
      `The certificate of ${host} is not trusted: ${plainText(text)}`,
      {
        cause: error,
        hint: code === "ERR_TLS_CERT_ALTNAME_INVALID"
          ? "Name the registry by a name that is in its certificate"
          : "If it is signed by a private authority, name that one's certificate in " +
            `SSL_CERT_FILE, or put it as ca.crt into ~/.config/containers/certs.d/${host}`,
      },
    );
  }
  if (
    /wrong version number|packet length too long|ERR_SSL_WRONG_VERSION/i.test(`${code} ${text}`)
  ) {
    return new TransferError("network", `${host} does not speak HTTPS`, {
      cause: error,
      hint: "If it is a plain HTTP registry that you trust, set ENROOT_ALLOW_HTTP=yes",
    });
  }
  const meaning = MEANINGS[code] ?? (plainText(text) || "unknown reason");
  const way = proxy === undefined ? host : `${host} through the proxy ${plainText(proxy.host)}`;
  const isRefusedByProxy = code === "ERR_PROXY_TUNNEL" && /HTTP\/1\.\d 4\d\d/.test(text);
  return new TransferError("network", `The connection to ${way} failed: ${meaning}`, {
    cause: error,
    hint: "Check the registry's name and port; denroot info shows the proxies that are used",
    transient: !isRefusedByProxy,
    ...(isRefusedByProxy &&
      { hint: "Check the proxy's URL, user and password; no_proxy exempts hosts" }),
  });
}

const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "it was refused",
  ECONNRESET: "it was cut",
  EPIPE: "it was cut",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the name server did not answer",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to its network",
  ETIMEDOUT: "it timed out",
};

function isCertificateError(code: string, text: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ISSUER/.test(code) ||
    /certificate|self.signed/i.test(text);
}
