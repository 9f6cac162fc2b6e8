/** Failures of an HTTP exchange, with the facts that retries need. */

import { DenrootError, type DenrootErrorOptions, type ErrorCode, messageOf } from "../errors.ts";
import { plainText } from "../text/quote_text.ts";

interface TransferErrorOptions extends DenrootErrorOptions {
  /** Whether the same request may succeed later. */
  readonly transient?: boolean | undefined;
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The status of the answer, if there was one. */
  readonly status?: number | undefined;
}

export class TransferError extends DenrootError {
  readonly transient: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly status?: number | undefined;

  constructor(code: ErrorCode, message: string, options: TransferErrorOptions = {}) {
    super(code, message, options);
    this.transient = options.transient ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}

/** A URL that can be shown: without user, password, query (signatures) and fragment. */
export function shownUrl(url: URL): string {
  return plainText(`${url.protocol}//${url.host}${url.pathname}`, 200);
}

/** Makes an error that a user understands from an error of a socket, a resolver or TLS. */
export function connectionError(error: unknown, url: URL, proxy?: URL): TransferError {
  const code = String((error as { code?: unknown } | null)?.code ?? "");
  const host = plainText(url.host);
  const text = messageOf(error);
  if (/ALERT_(?:CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|NO_CERT)/.test(code)) {
    return new TransferError(
      "network",
      `${host} refused the client certificate, or asks for one`,
      {
        cause: error,
        hint: `Put client.cert and client.key into ~/.config/containers/certs.d/${host}`,
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
          ? "Use a host name that the certificate contains"
          : "If a private authority signed it, set SSL_CERT_FILE to the authority's certificate, " +
            `or copy that to ~/.config/containers/certs.d/${host}/ca.crt`,
      },
    );
  }
  if (
    /wrong version number|packet length too long|ERR_SSL_WRONG_VERSION/i.test(`${code} ${text}`)
  ) {
    return new TransferError("network", `${host} does not speak HTTPS`, {
      cause: error,
      hint: "If you trust this server and the network, set ENROOT_ALLOW_HTTP=yes for plain HTTP",
    });
  }
  const meaning = MEANINGS[code] ?? (plainText(text) || "unknown reason");
  const way = proxy === undefined ? host : `${host} through the proxy ${plainText(proxy.host)}`;
  const isRefusedByProxy = code === "ERR_PROXY_TUNNEL" && /HTTP\/1\.\d 4\d\d/.test(text);
  return new TransferError("network", `The connection to ${way} failed: ${meaning}`, {
    cause: error,
    hint: "Check the host name and the port; denroot info shows the proxies",
    transient: !isRefusedByProxy,
    ...(isRefusedByProxy &&
      { hint: "Check the proxy's URL, user and password; no_proxy lists hosts to reach directly" }),
  });
}

const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "it was refused",
  ECONNRESET: "it was cut",
  EPIPE: "it was cut",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the name server did not answer",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to its network",
  ETIMEDOUT: "it timed out",
};

function isCertificateError(code: string, text: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ISSUER/.test(code) ||
    /certificate|self.signed/i.test(text);
}
