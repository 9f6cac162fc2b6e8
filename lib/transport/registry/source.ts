/** Opens an image in a registry (distribution-spec): `docker://…`. */

import {
  type ImageLocation,
  imageLocations,
  writeLocation,
} from "../../containers_conf/image_locations.ts";
import { DenrootError } from "../../errors.ts";
import { verifySize } from "../../oci/digest.ts";
import { plainText } from "../../text/quote_text.ts";
import { dockerScheme } from "../../reference/docker_scheme.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { StoredDocument } from "../../types/image.ts";
import type { DockerReference } from "../../types/reference.ts";
import type { ImageSource } from "../../types/source.ts";
import type { SourceContext } from "../source_context.ts";
import { Endpoints, type RegistryEndpoint, toRegistryEndpoint } from "./mirrors/endpoints.ts";
import { fetchBlob } from "./read/fetch_blob.ts";
import { askDigest } from "./read/ask_digest.ts";
import { fetchDocument } from "./read/fetch_document.ts";
import { clientAt, connectionsOf, type RegistryConnections } from "./connections.ts";
import type { Settings } from "../../config/settings.ts";
import { DEFAULT_LIMITS, type RegistryLimits } from "./limits.ts";
import { ReferrerLists } from "./read/list_referrers.ts";
import { listTags } from "./read/list_tags.ts";
import { requireBlob } from "./read/require_blob.ts";
import { openShortName } from "./mirrors/short_name_source.ts";

/** The source of a registry has no local blobs: all of them are fetched. */
export interface RegistrySource extends Required<Omit<ImageSource, "place" | "contentOf">> {
  readonly reference: DockerReference;
  root(signal: AbortSignal): Promise<{ readonly document: StoredDocument }>;
  at(tag: string): RegistrySource;
}

/**
 * Opens no connection before the first request. Throws code `settings` when `registries.conf` cannot
 * be used or blocks the image.
 */
export async function openRegistry(
  reference: DockerReference,
  context: SourceContext,
  limits: RegistryLimits = DEFAULT_LIMITS,
): Promise<RegistrySource> {
  const connections = await connectionsOf(context, limits);
  const open = (reference: DockerReference) =>
    openEndpoints(reference, connections, context, limits);
  const { shortName, ...named } = reference;
  if (!context.settings.shortNames) refuseRegistryAlone(reference);
  return shortName !== undefined && context.settings.shortNames
    ? openShortName(shortName, named, connections.conf, open, context.onProgress)
    : open(named);
}

/**
 * Docker reads `HOST:PORT` as an image of Docker Hub with a tag, and so does the parser. No image there
 * is called like a host.
 */
function refuseRegistryAlone({ shortName = "", tag }: DockerReference): void {
  const isHost = /^[^/]+\.[^/]+$|^localhost$/.test(shortName);
  const port = tag === "latest" ? "" : `:${tag}`;
  if (!isHost || !/^(?::\d+)?$/.test(port)) return;
  const uri = `docker://${shortName}${port}`;
  throw new DenrootError("reference", `${uri} names a registry, but no image in it`, {
    hint: `Write ${uri}/IMAGE; denroot tags ${uri} lists the repositories`,
  });
}

function openEndpoints(
  reference: DockerReference,
  connections: RegistryConnections,
  context: SourceContext,
  limits: RegistryLimits,
): RegistrySource {
  const { onProgress } = context;
  const locations = context.withoutMirrors
    ? [writeLocation(reference, connections.conf)]
    : imageLocations(reference, connections.conf);
  const list = connect(locations, reference, context.settings, connections, limits);
  const endpoints = new Endpoints(list, onProgress);
  const repository = shown({ ...reference, tag: undefined, digest: undefined });
  const referrers = new ReferrerLists(repository, endpoints);
  const isElsewhere = locations.length > 1 || !isSameRepository(locations[0]!, reference);
  const tell = (uri: string, { digest }: StoredDocument) => {
    const { name, isMirror } = endpoints.current;
    const from = isMirror ? `the mirror ${name}` : name;
    const message = `${plainText(uri, 300)} is ${digest} (from ${from})`;
    onProgress?.({ type: "log", level: "info", message });
  };
  const sourceOf = (reference: DockerReference): RegistrySource => {
    const uri = formatReference(reference);
    const name = shown(reference);
    return {
      reference,
      uri,
      async root(signal) {
        const document = await fetchDocument(tagOrDigest(reference), name, endpoints, signal);
        if (isElsewhere) tell(uri, document);
        return { document };
      },
      digest: (signal) => askDigest(tagOrDigest(reference), endpoints, signal),
      async document({ digest, size }, signal) {
        const document = await fetchDocument(digest, name, endpoints, signal, true);
        verifySize(document.bytes, size, `The manifest ${digest} of ${name}`);
        return document;
      },
      blob: (descriptor, range, signal) => fetchBlob(descriptor, range, endpoints, signal),
      requireBlob: (descriptor, signal) => requireBlob(descriptor, endpoints, signal),
      tags: (signal) => listTags(repository, endpoints, signal, onProgress),
      referrers: (digest, signal) => referrers.of(digest, signal),
      at: (tag) => sourceOf({ ...reference, tag, digest: undefined }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };
  return {
    ...sourceOf(reference),
    [Symbol.asyncDispose]: () => Promise.resolve(connections.close()),
  };
}

/** A client for each location; they share the connections and the credentials. */
function connect(
  locations: readonly ImageLocation[],
  reference: DockerReference,
  { allowHttp, transferRetries }: Settings,
  connections: RegistryConnections,
  limits: RegistryLimits,
): readonly RegistryEndpoint[] {
  return locations.map((location) => {
    const client = clientAt(location, reference, { connections, allowHttp, limits });
    return toRegistryEndpoint(location, client, limits, transferRetries);
  });
}

/** Gives the digest when there is one, or else the tag. */
function tagOrDigest({ tag, digest }: DockerReference): string {
  const version = digest ?? tag;
  if (version !== undefined) return version;
  throw new DenrootError("reference", "The reference has neither a tag nor a digest");
}

function isSameRepository(
  location: ImageLocation,
  { registry, repository }: DockerReference,
): boolean {
  return location.registry === registry && location.repository === repository;
}

/** The image's name in messages: `REGISTRY#IMAGE:TAG`. */
function shown(reference: DockerReference): string {
  return plainText(dockerScheme.format(reference), 300);
}
