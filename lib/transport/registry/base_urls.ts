/** Whether a registry speaks HTTPS or plain HTTP: tried in order, and then known. */

import { systemCode } from "../../errors.ts";
import type { ImageLocation } from "../../containers_conf/image_locations.ts";
import type { HttpResponse } from "../../http/client.ts";
import { isUntrusted, TransferError } from "../../http/transfer_error.ts";

export class BaseUrls {
  /** The registry's root; and the other one to try while the protocol is not known yet. */
  #bases: readonly [URL, URL?];

  /** `allowHttp`: the settings allow plain HTTP everywhere. */
  constructor(
    { registry, insecure }: Pick<ImageLocation, "registry" | "insecure">,
    allowHttp: boolean,
  ) {
    const [http, https] = ["http", "https"].map((protocol) =>
      new URL(`${protocol}://${registry}/`)
    ) as [URL, URL];
    // Like enroot and containers/image: HTTPS goes first for an insecure registry.
    this.#bases = insecure ? [https, http] : allowHttp ? [http, https] : [https];
  }

  /** The registry's root, with the protocol that is known, or is tried first. */
  get current(): URL {
    return this.#bases[0];
  }

  /**
   * Sends a request to the registry, and once more by the other protocol when the first failure may
   * come from the wrong one. Throws what `send` throws.
   */
  async ask(
    send: (base: URL) => Promise<HttpResponse>,
    errorBytes: number,
  ): Promise<HttpResponse> {
    const [base, other] = this.#bases;
    if (other === undefined) return await send(base);
    let failure: unknown;
    /** A refusal without a word, which may come from the wrong protocol. */
    let refusal: HttpResponse | undefined;
    try {
      const response = await send(base);
      const complaint = await tlsComplaint(response, errorBytes);
      if (complaint === undefined) return this.#learn(base, response);
      if (complaint === "") refusal = response;
    } catch (error) {
      if (!maySpeakOther(error, base)) throw error;
      failure = error;
    }
    try {
      return this.#learn(other, await send(other));
    } catch (error) {
      const isConnection = error instanceof TransferError && error.code === "network";
      // A certificate that is refused says more: the server does speak HTTPS.
      const isCertificate = isUntrusted(error) || isUntrusted((error as Error).cause);
      if (!isConnection || isCertificate) throw error;
      if (refusal !== undefined) return this.#learn(base, refusal);
      throw failure ?? error;
    }
  }

  #learn(base: URL, response: HttpResponse): HttpResponse {
    const { url } = response;
    const isUpgraded = url.protocol === "https:" && url.hostname === base.hostname;
    this.#bases = [isUpgraded ? new URL("/", url) : base];
    return response;
  }
}

/**
 * What Go's server, nginx and Apache say when plain HTTP reaches their TLS port; undefined for any other
 * answer, whose body is left. They say nothing, an empty text, to a HEAD.
 */
async function tlsComplaint(
  response: HttpResponse,
  errorBytes: number,
): Promise<string | undefined> {
  if (response.status !== 400 || response.url.protocol !== "http:") return undefined;
  const text = await response.body.peekText(errorBytes);
  if (text === "") return text;
  if (!/HTTPS|SSL/i.test(text)) return undefined;
  return await response.body.textStart(errorBytes);
}

/**
 * Whether the failure at `base` may come from the wrong protocol. A TLS server may answer plain HTTP
 * with an alert, or hang up; or HTTPS is on port 443 and nothing on port 80. A plain server has many
 * ways to fail at TLS.
 */
function maySpeakOther(error: unknown, base: URL): boolean {
  if (!(error instanceof TransferError)) return false;
  // A time-out has no cause: a server that is silent in one protocol is silent in both.
  if (base.protocol === "https:") return error.code === "network" && error.cause !== undefined;
  const code = systemCode(error.cause);
  return /^(HPE_|ECONNRESET|EPIPE)/.test(code) || (code === "ECONNREFUSED" && base.port === "");
}
