/**
 * Images in an ostree repository, as skopeo's `ostree:` wrote them: each blob is a commit under
 * `ociimage/`, layers as their files with a recipe of the tar stream. A commit of another kind is
 * taken as a root file system: an image of one layer.
 */

import { Buffer } from "node:buffer";
import { DenrootError, throwIfAborted } from "../../errors.ts";
import { digestOf, isDigest, parseDigest } from "../../oci/digest.ts";
import { OCI_CONFIG, OCI_MANIFEST, OCI_PLAIN_LAYER } from "../../oci/media_types.ts";
import { mediaTypeOf, parseManifestOrIndex } from "../../oci/parse_manifest.ts";
import { plainText, quoteText } from "../../text/quote_text.ts";
import { formatReference } from "../../reference/format_reference.ts";
import type { Descriptor, Digest, ImageManifest, StoredDocument } from "../../types/image.ts";
import type { OstreeReference } from "../../types/reference.ts";
import type { BlobStore, ImageContent, ImageSource } from "../../types/source.ts";
import type { SourceContext } from "../source_context.ts";
import { assembleLayer } from "./assemble_layer.ts";
import { OstreeRepository } from "./repository.ts";

const PREFIX = "ociimage/";

/** Throws code `not_found` when there is no such image, or no program `ostree`. */
export function openOstree(
  reference: OstreeReference,
  context: SourceContext,
): Promise<ImageSource> {
  throwIfAborted(context.signal);
  const { settings, signal, blobs } = context;
  const repository = new OstreeRepository(reference.repository, settings.environment, signal);
  /** By the digests of their tar streams. */
  const layers = new Map<Digest, UnpackedLayer>();
  let made: Digest | undefined;
  return Promise.resolve({
    uri: formatReference(reference),
    async root() {
      const ref = `${PREFIX}${encodeName(reference.image)}`;
      const refs = await repository.refs();
      if (refs.has(ref)) return { document: await readManifest(repository, ref) };
      const commit = await repository.commit(reference.image.replace(/:latest$/, ""));
      if (commit === undefined) throw notThere(repository, reference.image, refs);
      const document = await makeImage(repository, commit, blobs, signal);
      made = document.digest;
      return { document };
    },
    document: ({ digest }) => Promise.reject(noDocument(repository, digest)),
    // The blobs of an image that was made here are in the store as its manifest names them.
    contentOf: ({ digest, manifest }) =>
      digest === made ? Promise.resolve(manifest) : unpackedContent(repository, manifest, layers),
    blob(descriptor, range, signal) {
      if (range !== undefined) {
        throw new DenrootError("range_unsupported", "ostree's streams begin at their beginning");
      }
      const layer = layers.get(descriptor.digest);
      const bytes = layer === undefined
        ? repository.cat(refOf(descriptor.digest), ["/content"], signal)
        : assembleLayer(repository, layer.ref, layer.recipe, signal);
      return exactly(descriptor.size, bytes);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

interface UnpackedLayer {
  readonly ref: string;
  readonly recipe: Uint8Array;
}

async function readManifest(repository: OstreeRepository, ref: string): Promise<StoredDocument> {
  const text = await repository.metadata(ref, "docker.manifest");
  if (text === undefined) {
    throw new DenrootError("manifest", `The commit ${quoteText(ref)} has no manifest`);
  }
  const bytes = Buffer.from(text);
  const parsed = parseManifestOrIndex(bytes);
  if (parsed.kind === "index") {
    throw new DenrootError(
      "unsupported",
      "ostree holds an index where an image's manifest belongs",
    );
  }
  return { mediaType: mediaTypeOf(parsed), digest: digestOf(bytes), bytes };
}

async function unpackedContent(
  repository: OstreeRepository,
  { config, layers }: ImageManifest,
  unpacked: Map<Digest, UnpackedLayer>,
): Promise<ImageContent> {
  const content: Descriptor[] = [];
  for (const layer of layers) content.push(await unpackedLayer(repository, layer, unpacked));
  return { config, layers: content };
}

/** The layer as ostree can give it: its tar stream, unless it was stored as it came. */
async function unpackedLayer(
  repository: OstreeRepository,
  layer: Descriptor,
  layers: Map<Digest, UnpackedLayer>,
): Promise<Descriptor> {
  const ref = refOf(layer.digest);
  const recipe = await repository.metadata(ref, "tarsplit.output");
  if (recipe === undefined) return layer;
  const digest = await repository.metadata(ref, "docker.uncompressed_digest") ?? "";
  const size = Number(await repository.metadata(ref, "docker.uncompressed_size") ?? NaN);
  if (!isDigest(digest) || !Number.isSafeInteger(size) || size < 0) {
    throw new DenrootError("manifest", `The commit ${quoteText(ref)} lacks its layer's metadata`);
  }
  layers.set(digest, { ref, recipe: Buffer.from(recipe, "base64") });
  return { mediaType: OCI_PLAIN_LAYER, digest, size };
}

/** An image of one layer, which is the commit's tree. */
async function makeImage(
  repository: OstreeRepository,
  commit: string,
  blobs: BlobStore,
  signal: AbortSignal,
): Promise<StoredDocument> {
  const layer = await keep(blobs, repository.export(commit, signal), signal);
  const rootfs = { type: "layers", diff_ids: [layer.digest] };
  const config = await keep(
    blobs,
    [Buffer.from(JSON.stringify({ os: "linux", config: {}, rootfs }))],
    signal,
  );
  const bytes = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, ...config },
    layers: [{ mediaType: OCI_PLAIN_LAYER, ...layer }],
  }));
  return { mediaType: OCI_MANIFEST, digest: digestOf(bytes), bytes };
}

async function keep(
  blobs: BlobStore,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const writer = blobs.spool();
  try {
    for await (const bytes of chunks) {
      throwIfAborted(signal);
      writer.write(bytes);
    }
    return await writer.commit();
  } finally {
    writer.close();
  }
}

/** Throws code `layer` at the first byte beyond `size`, and at an end before it. */
async function* exactly(
  size: number,
  chunks: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let count = 0;
  for await (const bytes of chunks) {
    count += bytes.length;
    if (count > size) throw new DenrootError("layer", `ostree has more than its ${size} bytes`);
    yield bytes;
  }
  if (count < size) throw new DenrootError("layer", `ostree has ${count} of its ${size} bytes`);
}

function refOf(digest: Digest): string {
  return `${PREFIX}${parseDigest(digest).hex}`;
}

/** As the transport of containers/image has it: `_3A` stands for a colon. */
function encodeName(name: string): string {
  return name.replace(
    /[^A-Za-z0-9.-]/g,
    (character) => `_${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

function decodeName(name: string): string {
  return name.replace(/_([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

function noDocument(repository: OstreeRepository, digest: Digest): DenrootError {
  return new DenrootError(
    "not_found",
    `The ostree repository ${repository.name} has no manifest ${digest}`,
  );
}

function notThere(
  repository: OstreeRepository,
  image: string,
  refs: ReadonlySet<string>,
): DenrootError {
  const names = [...refs].filter((ref) => ref.startsWith(PREFIX) && !/\/[0-9a-f]{64}$/.test(ref))
    .map((ref) => plainText(decodeName(ref.slice(PREFIX.length))));
  const others = [...refs].filter((ref) => !ref.startsWith(PREFIX)).map((ref) => plainText(ref));
  const shown = [...names, ...others].slice(0, 20).join(", ");
  return new DenrootError(
    "not_found",
    `The ostree repository ${repository.name} has no image ${quoteText(image)}; it has ${
      shown || "none"
    }`,
  );
}
