/** An image in a registry (distribution-spec): `docker://...` -> `Source`. */

import { DenrootError } from "../../errors.ts";
import { plainText } from "../../oci/quote_text.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { DockerReference, Source } from "../../types.ts";
import type { SourceContext } from "../source_context.ts";
import { createCredentialsFinder } from "./credentials/find_credentials.ts";
import { BlobPlaces } from "./blob_places.ts";
import { fetchBlob } from "./fetch_blob.ts";
import { fetchManifest } from "./fetch_manifest.ts";
import { createHttpClient } from "./http_client.ts";
import { DEFAULT_LIMITS, type RegistryLimits } from "./limits.ts";
import { RegistryClient } from "./registry_client.ts";
import { Retries } from "./retry.ts";

/** Opens no connection yet: the first request does. */
export function openRegistry(
  reference: DockerReference,
  { settings, onProgress }: SourceContext,
  limits: RegistryLimits = DEFAULT_LIMITS,
): Promise<Source> {
  const http = createHttpClient(settings, limits);
  const client = new RegistryClient({
    reference,
    settings,
    limits,
    http,
    findCredentials: createCredentialsFinder(settings, onProgress),
  });
  const createRetries = () => new Retries(settings.transferRetries, limits, onProgress);
  const manifests = { client, limits, createRetries };
  const blobs = { ...manifests, places: new BlobPlaces() };
  const uri = formatReference(reference);
  return Promise.resolve({
    uri,
    resolve: (platform, signal) =>
      fetchManifest({ name: nameOf(reference), image: shown(uri), platform }, manifests, signal),
    blob: (descriptor, range, signal) => fetchBlob(descriptor, range, blobs, signal),
    [Symbol.asyncDispose]: () => Promise.resolve(http.close()),
  });
}

/** The digest wins over the tag. */
function nameOf(reference: DockerReference): string {
  const name = reference.digest ?? reference.tag;
  if (name === undefined) throw new DenrootError("reference", "The reference has no tag");
  return name;
}

function shown(uri: string): string {
  return plainText(uri.replace(/^docker:\/\//, ""), 300);
}
