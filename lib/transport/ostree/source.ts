/**
 * Reads images from an ostree repository into which skopeo's `ostree:` wrote them. Each blob is a
 * commit under `ociimage/`; a layer is stored as its files, with a recipe for its tar stream. Any
 * other commit counts as a root file system, and becomes an image of one layer.
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

/**
 * The source throws code `not_found` when the repository does not have the image, or the program
 * `ostree` is not installed.
 */
export function openOstree(
  reference: OstreeReference,
  context: SourceContext,
): Promise<ImageSource> {
  throwIfAborted(context.signal);
  const { settings, signal, blobs } = context;
  const repository = new OstreeRepository(reference.repository, settings.environment, signal);
  /** The unpacked layers, by the digests of their tar streams. */
  const layers = new Map<Digest, UnpackedLayer>();
  let made: Digest | undefined;
  return Promise.resolve({
    reference,
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
    // An image that was made here has its blobs in the store, under the digests of its manifest.
    contentOf: ({ digest, manifest }) =>
      digest === made ? Promise.resolve(manifest) : unpackedContent(repository, manifest, layers),
    blob(descriptor, range, signal) {
      if (range !== undefined) {
        throw new DenrootError("range_unsupported", "ostree gives only whole blobs");
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
      `The commit ${quoteText(ref)} has an index; an image's manifest was expected`,
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

/**
 * Describes the layer in the form that ostree can give: its tar stream, or the layer itself when it
 * was stored unchanged.
 */
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
    throw new DenrootError(
      "manifest",
      `The commit ${quoteText(ref)} does not have its layer's digest and size`,
    );
  }
  layers.set(digest, { ref, recipe: Buffer.from(recipe, "base64") });
  return { mediaType: OCI_PLAIN_LAYER, digest, size };
}

/** Makes an image of one layer from the commit's files. */
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

/** Throws code `layer` when there are more or fewer bytes than `size`. */
async function* exactly(
  size: number,
  chunks: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let count = 0;
  for await (const bytes of chunks) {
    count += bytes.length;
    if (count > size) {
      throw new DenrootError("layer", `ostree gave more than the expected ${size} bytes`);
    }
    yield bytes;
  }
  if (count < size) {
    throw new DenrootError("layer", `ostree gave ${count} of the expected ${size} bytes`);
  }
}

function refOf(digest: Digest): string {
  return `${PREFIX}${parseDigest(digest).hex}`;
}

/** Encodes a name as containers/image does: a colon becomes `_3A`. */
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
      shown || "no images"
    }`,
  );
}
