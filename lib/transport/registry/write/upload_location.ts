/** Where the next request of an upload goes: the `Location` of an answer (distribution-spec, "Push"). */

import type { HttpResponse } from "../../../http/client.ts";
import { shownUrl, TransferError } from "../../../http/transfer_error.ts";
import { plainText, quoteText } from "../../../text/quote_text.ts";
import type { Digest } from "../../../types/image.ts";
import type { RegistryClient } from "../registry_client.ts";

/**
 * The target that an answer names; undefined when it names none. It may be relative, has a query that
 * must stay as it is, and may be on another host.
 *
 * Throws code `registry` for a target that denroot does not go to: no URL, plain HTTP that the
 * settings do not allow, a private host.
 */
export async function uploadLocation(
  response: HttpResponse,
  client: RegistryClient,
): Promise<URL | undefined> {
  const text = response.header("location");
  if (text === undefined) return undefined;
  const url = URL.parse(text, response.url);
  if (url === null || !/^https?:$/.test(url.protocol)) throw notUrl(response.url, text);
  // A user and a password in it would be sent as credentials.
  url.username = url.password = url.hash = "";
  const { protocol, hostname, port } = response.url;
  if (protocol === "https:" && url.protocol === "http:" && url.hostname === hostname) {
    // A registry behind a proxy that ends TLS does not know that it is reached by HTTPS.
    url.protocol = protocol;
    url.port = port;
  }
  if (!client.isOwn(url) && !client.mayFetch(url)) throw notSecure(response.url, url);
  await client.checkUploadHost(url);
  return url;
}

/** The closing request's URL. The registry's own query keeps its exact text. */
export function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  const parameter = `digest=${encodeURIComponent(digest)}`;
  url.search = url.search === "" ? parameter : `${url.search}&${parameter}`;
  return url;
}

function notUrl(from: URL, text: string): TransferError {
  return new TransferError(
    "registry",
    `${plainText(from.host)} gave an address for the upload that is no http:// or https:// URL: ${
      quoteText(text)
    }`,
  );
}

function notSecure(from: URL, to: URL): TransferError {
  return new TransferError(
    "registry",
    `${plainText(from.host)} sends the upload to plain HTTP: ${shownUrl(to)}`,
    { hint: "If you trust that host and the network, set ENROOT_ALLOW_HTTP=yes" },
  );
}
