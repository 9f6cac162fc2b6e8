/** Asks a registry for the digest of a tag without the document: a HEAD, which hardly counts as a pull. */

import { ACCEPTED_MANIFESTS } from "../../../oci/media_types.ts";
import type { Digest } from "../../../types/image.ts";
import { announcedDigest } from "../answer.ts";
import type { Endpoints } from "../mirrors/endpoints.ts";

/**
 * Undefined when the endpoint that is asked first does not tell: fetching the document then says why.
 * Throws what a request throws that gets no answer.
 */
export async function askDigest(
  name: string,
  endpoints: Endpoints,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  const { client, limits, blockedBy } = endpoints.current;
  if (blockedBy !== undefined) return undefined;
  const headers = { accept: ACCEPTED_MANIFESTS.join(", ") };
  const request = { headers, actions: ["pull"], signal } as const;
  const response = await client.request("HEAD", `manifests/${name}`, request);
  await response.body.textStart(limits.errorBytes);
  return response.status === 200 ? announcedDigest(response) : undefined;
}
