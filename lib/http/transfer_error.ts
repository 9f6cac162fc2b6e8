/** Failures of an HTTP exchange, with the facts that retries need. */

import {
  DenrootError,
  type DenrootErrorOptions,
  type ErrorCode,
  messageOf,
  systemCode,
} from "../errors.ts";
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
  const code = systemCode(error);
  const text = messageOf(error);
  const failure: Failure = { error, code, text, host: plainText(url.host), proxy };
  // Deno gives its own refusals such codes too, with another text.
  if (/_ALERT_/.test(code) && /alert/i.test(text)) return alertError(failure);
  if (isCertificateError(code, text)) return certificateError(failure);
  const isPlain = /wrong version number|packet length too long|ERR_SSL_WRONG_VERSION/i;
  if (isPlain.test(`${code} ${text}`)) return plainHttpError(failure);
  return /^ERR_SSL_|EPROTO/.test(code) ? handshakeError(failure) : socketError(failure);
}

/** Whether `error` says that a server's certificate was refused. */
export function isUntrusted(error: unknown): boolean {
  return error instanceof TransferError && error.message.includes(NOT_TRUSTED);
}

const NOT_TRUSTED = "is not trusted: ";

interface Failure {
  readonly error: unknown;
  readonly code: string;
  readonly text: string;
  readonly host: string;
  readonly proxy: URL | undefined;
}

/** Runtimes do not tell whose TLS failed where a proxy has TLS too. */
function peerOf({ host, proxy }: Failure): string {
  return proxy?.protocol === "https:" ? `${host}, or of its proxy ${plainText(proxy.host)},` : host;
}

/** The server has ended the handshake, and says why with the name of an alert (RFC 8446, 6.2). */
function alertError(failure: Failure): TransferError {
  const { error, code, host } = failure;
  if (/CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|NO_CERT/.test(code)) {
    const message = `${host} refused the client certificate, or asks for one`;
    return new TransferError("network", message, {
      cause: error,
      hint: `Put client.cert and client.key into ~/.config/containers/certs.d/${host}`,
    });
  }
  const alert = plainText(code.replace(/^.*_ALERT_/, "").replaceAll("_", " ").toLowerCase());
  return new TransferError(
    "network",
    `The TLS server of ${peerOf(failure)} refused the connection: it sent the alert "${alert}"`,
    {
      cause: error,
      hint: "denroot speaks TLS 1.2 and 1.3: the server may be older, or not know this host name",
      transient: alert === "internal error",
    },
  );
}

function certificateError(failure: Failure): TransferError {
  const { error, code, text, host } = failure;
  return new TransferError(
    "network",
    `The certificate of ${peerOf(failure)} ${NOT_TRUSTED}${plainText(text)}`,
    { cause: error, hint: certificateHint(code, host) },
  );
}

function certificateHint(code: string, host: string): string {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "Use a host name that the certificate contains";
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return "Check the clock of this machine, and the dates of the server's certificates";
  }
  return "If a private authority signed it, set SSL_CERT_FILE (where it is set, CURL_CA_BUNDLE) to " +
    `the authority's certificate, or copy that to ~/.config/containers/certs.d/${host}/ca.crt`;
}

function plainHttpError({ error, host, proxy }: Failure): TransferError {
  if (proxy?.protocol === "https:") {
    const name = plainText(proxy.host);
    return new TransferError("network", `${host} or its proxy ${name} does not speak HTTPS`, {
      cause: error,
      hint: `If the proxy speaks plain HTTP, as most do, write http://${name} for it`,
    });
  }
  return new TransferError("network", `${host} does not speak HTTPS`, {
    cause: error,
    hint: "If you trust this server and the network, set ENROOT_ALLOW_HTTP=yes for plain HTTP",
  });
}

/** It is this side that gave up. */
function handshakeError(failure: Failure): TransferError {
  return new TransferError(
    "network",
    `denroot refused the TLS of ${peerOf(failure)} because of what the server sent: ${
      plainText(failure.text)
    }`,
    {
      cause: failure.error,
      hint: "denroot speaks TLS 1.2 and 1.3; check the port, and that a TLS server is there",
      transient: true,
    },
  );
}

function socketError({ error, code, text, host, proxy }: Failure): TransferError {
  const meaning = MEANINGS[code] ?? (plainText(text) || "unknown reason");
  const way = proxy === undefined ? host : `${host} through the proxy ${plainText(proxy.host)}`;
  const isRefusedByProxy = code === "ERR_PROXY_TUNNEL" && /HTTP\/1\.\d 4\d\d/.test(text);
  return new TransferError("network", `The connection to ${way} failed: ${meaning}`, {
    cause: error,
    hint: isRefusedByProxy
      ? "Check the proxy's URL, user and password; no_proxy lists hosts to reach directly"
      : "Check the host name and the port; denroot info shows the proxies",
    transient: !isRefusedByProxy,
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
