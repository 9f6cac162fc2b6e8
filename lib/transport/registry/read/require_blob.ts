/** Asks whether a repository has a blob, without its bytes. */

import { plainText } from "../../../text/quote_text.ts";
import { DenrootError } from "../../../errors.ts";
import { TransferError } from "../../../http/transfer_error.ts";
import type { Descriptor } from "../../../types/image.ts";
import type { Endpoints, RegistryEndpoint } from "../mirrors/endpoints.ts";
import { responseError } from "../response_error.ts";
import { fetchBlob } from "./fetch_blob.ts";

/**
 * Throws code `not_found` when no endpoint has the blob, `file` when it has another size there, and
 * what requests throw. A registry that does not answer HEAD is asked for the blob's first byte.
 */
export async function requireBlob(
  descriptor: Descriptor,
  endpoints: Endpoints,
  signal: AbortSignal,
): Promise<void> {
  const attempts = endpoints.attempts(`Blob ${descriptor.digest}`);
  for (;;) {
    try {
      if (await isThere(descriptor, attempts.endpoint, signal)) return;
      break;
    } catch (error) {
      await attempts.recover(error, signal);
    }
  }
  const range = { start: 0, end: Math.min(1, descriptor.size) };
  // One byte is enough to see that the rest is there: its answer tells the size of the whole.
  for await (const _ of fetchBlob(descriptor, range, endpoints, signal)) break;
}

/** False when the answer to HEAD says nothing. */
async function isThere(
  descriptor: Descriptor,
  { client, limits, name }: RegistryEndpoint,
  signal: AbortSignal,
): Promise<boolean> {
  const { digest, size, urls = [] } = descriptor;
  const response = await client.request("HEAD", `blobs/${digest}`, { actions: ["pull"], signal });
  const length = response.header("content-length");
  if (response.status === 200) {
    await response.body.textStart(limits.errorBytes);
    if (length === undefined || Number(length) === size) return true;
    throw new DenrootError(
      "file",
      `Blob ${digest} in ${name} has ${plainText(length, 20)} bytes instead of ${size}`,
    );
  }
  if ([401, 429].includes(response.status) || response.status >= 500) {
    throw await responseError(response, `Blob ${digest}`, limits);
  }
  await response.body.textStart(limits.errorBytes);
  // A layer that may not be in any registry names other places.
  if (response.status !== 404 || urls.length > 0) return false;
  throw new TransferError("not_found", `${name} has no blob ${digest}`, { status: 404 });
}
