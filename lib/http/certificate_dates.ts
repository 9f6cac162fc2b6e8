/** Whether a server's certificate was refused because of its dates, which no runtime tells. */

import { isIP } from "node:net";
import * as tls from "node:tls";
import { plainText } from "../text/quote_text.ts";
import type { HttpRequest } from "./client.ts";
import { isUntrusted, TransferError } from "./transfer_error.ts";

interface Validity {
  readonly from: Date;
  readonly to: Date;
}

const TIMEOUT_MS = 5000;

/**
 * `error`, or one that names the dates where they are why the certificate is refused. Asks the server
 * for its certificate once more: nothing is sent to it.
 */
export async function explainDates(
  error: unknown,
  { url, signal }: Pick<HttpRequest, "url" | "signal">,
): Promise<unknown> {
  if (!isUntrusted(error)) return error;
  const validity = await readValidity(url, signal);
  const now = new Date();
  if (validity === undefined || (validity.from <= now && now <= validity.to)) return error;
  const isOver = validity.to < now;
  return new TransferError(
    "network",
    `The certificate of ${plainText(url.host)} ${isOver ? "has expired" : "is not valid yet"}: ` +
      `it is for ${shown(validity.from)} to ${shown(validity.to)}, and the clock of this machine ` +
      `says ${shown(now)}`,
    {
      cause: error,
      hint: "Set the clock if it is wrong; else the server needs a new certificate",
    },
  );
}

function readValidity(url: URL, signal: AbortSignal): Promise<Validity | undefined> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const { promise, resolve } = Promise.withResolvers<Validity | undefined>();
  const socket = tls.connect({
    host,
    port: Number(url.port || 443),
    ...(isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: false,
  });
  const giveUp = () => resolve(undefined);
  const timer = setTimeout(giveUp, TIMEOUT_MS);
  signal.addEventListener("abort", giveUp, { once: true });
  socket.once("error", giveUp);
  socket.once("secureConnect", () => resolve(validityOf(socket.getPeerCertificate())));
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
    socket.on("error", () => {}).destroy();
  });
}

function validityOf(certificate: tls.PeerCertificate | null): Validity | undefined {
  const [from, to] = [certificate?.valid_from, certificate?.valid_to].map((text) =>
    new Date(text ?? NaN)
  ) as [Date, Date];
  return Number.isNaN(from.getTime()) || Number.isNaN(to.getTime()) ? undefined : { from, to };
}

function shown(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
