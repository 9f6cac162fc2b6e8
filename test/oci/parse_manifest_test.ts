/** Tests which manifests are read, which are refused, and what the messages say. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DenrootError } from "../../lib/errors.ts";
import {
  DOCKER_CONFIG,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
} from "../../lib/oci/media_types.ts";
import { mediaTypeOf, parseManifestOrIndex } from "../../lib/oci/parse_manifest.ts";
import { requireImage, requireReadableLayers } from "../../lib/oci/require_image.ts";
import type { Manifest } from "../../lib/types/image.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;
const CONFIG = { mediaType: OCI_CONFIG, digest: DIGEST, size: 2 };
const GZIP = "application/vnd.oci.image.layer.v1.tar+gzip";
const LAYER = { mediaType: GZIP, digest: DIGEST, size: 10 };

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
}

function manifest(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: CONFIG,
    layers: [LAYER],
    ...changes,
  };
}

function parseManifest(document: Uint8Array): Manifest {
  const parsed = parseManifestOrIndex(document);
  assert.ok(parsed.kind === "manifest");
  return parsed.manifest;
}

function errorOf(action: () => unknown): DenrootError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof DenrootError, String(error));
    return error;
  }
  throw new Error("No error was thrown");
}

test("an OCI manifest is read, with all fields of its descriptors", () => {
  const layer = { ...LAYER, urls: ["https://x/y"], annotations: { a: "b" } };
  assert.deepEqual(parseManifest(bytes(manifest({ layers: [layer, LAYER] }))), {
    mediaType: OCI_MANIFEST,
    config: CONFIG,
    layers: [layer, LAYER],
  });
});

test("a Docker manifest is read", () => {
  const changes = { mediaType: DOCKER_MANIFEST, config: { ...CONFIG, mediaType: DOCKER_CONFIG } };
  assert.equal(parseManifest(bytes(manifest(changes))).mediaType, DOCKER_MANIFEST);
});

test("layers with a sha512 digest or a wrong media type are read unchanged", () => {
  const layers = [
    { ...LAYER, digest: `sha512:${HEX}${HEX}` },
    { ...LAYER, mediaType: "application/octet-stream" },
    { digest: DIGEST, size: 1 },
  ];
  const types = parseManifest(bytes(manifest({ layers }))).layers.map((layer) => layer.mediaType);
  assert.deepEqual(types, [GZIP, "application/octet-stream", ""]);
});

test("a document's own media type decides its kind, then the header's, then its fields", () => {
  const index = { schemaVersion: 2, manifests: [] };
  const kind = (value: unknown, type?: string) => parseManifestOrIndex(bytes(value), type).kind;
  assert.equal(kind(index), "index");
  assert.equal(kind(index, "text/plain"), "index");
  assert.equal(kind(index, `${DOCKER_MANIFEST_LIST}; charset=utf-8`), "index");
  assert.equal(kind(manifest({ mediaType: undefined })), "manifest");
  assert.equal(kind(manifest({ mediaType: undefined }), OCI_MANIFEST), "manifest");
  assert.equal(kind(manifest(), OCI_INDEX), "manifest");
});

test("a media type that is not a manifest's is replaced by OCI's, and Docker's type stays", () => {
  const index = { schemaVersion: 2, manifests: [] };
  const type = (value: unknown, header?: string) =>
    mediaTypeOf(parseManifestOrIndex(bytes(value), header));
  assert.equal(type(manifest({ mediaType: undefined }), "text/plain"), OCI_MANIFEST);
  assert.equal(type(index, "text/plain"), OCI_INDEX);
  assert.equal(type(index, DOCKER_MANIFEST_LIST), DOCKER_MANIFEST_LIST);
});

test("schema 1 is recognised by its media type alone", () => {
  const type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
  const error = errorOf(() => parseManifestOrIndex(bytes(manifest({ mediaType: type }))));
  assert.match(error.message, /Docker schema 1/);
});

test("as many layers as the limit allows are read", () => {
  const layers = Array(10_000).fill(LAYER);
  assert.equal(parseManifest(bytes(manifest({ layers }))).layers.length, 10_000);
});

test("an image whose configuration has no media type is an image", () => {
  const config = { digest: DIGEST, size: 2 };
  const image = requireImage(parseManifest(bytes(manifest({ config }))));
  assert.equal(image.config.digest, DIGEST);
});

const REFUSED: readonly (readonly [title: string, value: unknown, code: string, text: RegExp])[] = [
  ["bytes that are not JSON", "<html>", "manifest", /^The manifest is not JSON$/],
  ["bytes that are not UTF-8", "\ud800", "manifest", /not JSON/],
  ["an array at its top", [], "manifest", /must be an object/],
  ["schema 1", { schemaVersion: 1, fsLayers: [] }, "unsupported", /schema 1/],
  ["schema 1 without a version", { fsLayers: [] }, "unsupported", /schema 1/],
  ["schema 1 without layers", { schemaVersion: 1 }, "unsupported", /Docker schema 1/],
  ["schema 3", manifest({ schemaVersion: 3 }), "unsupported", /schema version 3;/],
  ["a version that is text", manifest({ schemaVersion: "2" }), "manifest", /"schemaVersion" must/],
  ["both kinds at once", manifest({ manifests: [] }), "manifest", /ambiguous/],
  [
    "a configuration and a list of manifests",
    manifest({ manifests: [], layers: undefined }),
    "manifest",
    /ambiguous/,
  ],
  [
    "an image's type and an index's list",
    { schemaVersion: 2, mediaType: OCI_MANIFEST, manifests: [] },
    "manifest",
    /"config" must be an object/,
  ],
  ["no config and no layers", { schemaVersion: 2 }, "manifest", /"config" must be an object/],
  ["no layers", manifest({ layers: undefined }), "manifest", /"layers" must be an array/],
  ["layers that are not objects", manifest({ layers: [1] }), "manifest", /layer 1\/1 is invalid/],
  [
    "a layer without a digest",
    manifest({ layers: [LAYER, { ...LAYER, digest: undefined }] }),
    "manifest",
    /layer 2\/2 is invalid: "digest" must be a string/,
  ],
  [
    "a digest that is a path",
    manifest({ layers: [{ ...LAYER, digest: "sha256:../../etc/passwd" }] }),
    "manifest",
    /"sha256:\.\.\/\.\.\/etc\/passwd" is not a digest/,
  ],
  [
    "a digest in capitals",
    manifest({ layers: [{ ...LAYER, digest: DIGEST.toUpperCase() }] }),
    "manifest",
    /is not a digest/,
  ],
  [
    "a digest with control characters",
    manifest({ layers: [{ ...LAYER, digest: "\u001b[2J\n\u202e" }] }),
    "manifest",
    /"\\u\{1b\}\[2J\\u\{a\}\\u\{202e\}" is not a digest$/,
  ],
  ["a negative size", manifest({ layers: [{ ...LAYER, size: -1 }] }), "manifest", /"size" must be/],
  [
    "a fractional size",
    manifest({ layers: [{ ...LAYER, size: 1.5 }] }),
    "manifest",
    /"size" must be/,
  ],
  ["a huge size", manifest({ layers: [{ ...LAYER, size: 1e300 }] }), "manifest", /"size" must be/],
  ["a size in text", manifest({ layers: [{ ...LAYER, size: "1" }] }), "manifest", /"size" must be/],
  [
    "urls that are not strings",
    manifest({ layers: [{ ...LAYER, urls: [1] }] }),
    "manifest",
    /"urls"/,
  ],
  [
    "too many layers",
    manifest({ layers: Array(10_001).fill(LAYER) }),
    "limit",
    /10001 layers; the limit is 10000/,
  ],
  [
    "too many entries",
    { schemaVersion: 2, manifests: Array(10_001).fill(LAYER) },
    "limit",
    /10001 manifests; the limit is 10000/,
  ],
  [
    "a digest of another algorithm",
    manifest({ layers: [{ ...LAYER, digest: `blake3:${HEX}` }] }),
    "unsupported",
    /layer 1\/1 has a digest of the algorithm blake3; denroot knows sha256 and sha512$/,
  ],
];

for (const [title, value, code, text] of REFUSED) {
  test(`a manifest with ${title} is refused`, () => {
    const error = errorOf(() => parseManifestOrIndex(bytes(value)));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, text);
  });
}

const EMPTY = { mediaType: "application/vnd.oci.empty.v1+json", digest: DIGEST, size: 2 };

const ARTIFACTS: readonly (readonly [changes: Record<string, unknown>, kind: RegExp])[] = [
  [
    { config: { ...CONFIG, mediaType: "application/vnd.cncf.helm.config.v1+json" } },
    /a Helm chart/,
  ],
  [
    { layers: [{ ...LAYER, mediaType: "application/vnd.dev.cosign.simplesigning.v1+json" }] },
    /a signature \(cosign\)/,
  ],
  [
    { artifactType: "application/vnd.cncf.notary.signature", config: EMPTY },
    /signature \(Notary\)/,
  ],
  [{ layers: [{ ...LAYER, mediaType: "application/vnd.in-toto+json" }] }, /an attestation/],
  [
    { layers: [{ ...LAYER, mediaType: "application/vnd.ollama.image.model" }] },
    /a model \(Ollama\)/,
  ],
  [{ artifactType: "application/vnd.cncf.model.manifest.v1+json", config: EMPTY }, /a model/],
  [{ artifactType: "application/spdx+json", config: EMPTY }, /a bill of materials/],
  [{ config: { ...CONFIG, mediaType: "application/vnd.wasm.config.v0+json" } }, /WebAssembly/],
  [{ artifactType: "application/x\u0007", config: EMPTY }, /type "application\/x\\u\{7\}"/],
  [{ config: EMPTY, layers: [{ ...EMPTY, mediaType: "text/plain" }] }, /text\/plain inside/],
  [{ config: { ...CONFIG, mediaType: "application/x-thing" } }, /type "application\/x-thing"/],
  [{ config: undefined }, /an artifact with/],
];

for (const [changes, kind] of ARTIFACTS) {
  test(`an artifact is read, and refused as an image with its kind: ${kind.source}`, () => {
    const parsed = parseManifest(bytes(manifest(changes)));
    const error = errorOf(() => requireImage(parsed));
    assert.equal(error.code, "unsupported");
    assert.match(error.message, /^The reference names .*, not a container image$/);
    assert.match(error.message, kind);
  });
}

test("encrypted layers are refused for an import, and the hint says how to decrypt them", () => {
  const layers = [LAYER, { ...LAYER, mediaType: `${GZIP}+encrypted` }];
  const image = requireImage(parseManifest(bytes(manifest({ layers }))));
  const error = errorOf(() => requireReadableLayers(image));
  assert.deepEqual([error.code, error.message], ["unsupported", "Layer 2/2 is encrypted"]);
  assert.match(error.hint!, /--decryption-key/);
});

test("lists that are null are empty, as Go writes them", () => {
  assert.deepEqual(parseManifest(bytes(manifest({ layers: null }))).layers, []);
});

test("a subject that cannot be read does not prevent its image", () => {
  for (const subject of [{ ...LAYER, digest: `blake3:${HEX}` }, {}, { ...LAYER, size: "1" }]) {
    assert.equal(parseManifest(bytes(manifest({ subject }))).subject, undefined);
  }
  assert.deepEqual(parseManifest(bytes(manifest({ subject: LAYER }))).subject, LAYER);
});

test("a byte order mark and white space around a document do no harm", () => {
  const text = JSON.stringify(manifest());
  for (const around of [`\ufeff${text}`, `\r\n\t ${text}\n\n`, `\ufeff ${text} `]) {
    assert.deepEqual(parseManifest(bytes(around)).layers, [LAYER]);
  }
});

test("of fields with the same name the last one counts, as in Go", () => {
  const text = JSON.stringify(manifest()).replace("{", '{"layers":[],"schemaVersion":1,');
  assert.deepEqual(parseManifest(bytes(text)).layers, [LAYER]);
});

test("encrypted layers, foreign layers and artifacts are read, because they can be copied", () => {
  const encrypted = { ...LAYER, mediaType: `${GZIP}+encrypted` };
  const foreign = { ...LAYER, urls: ["https://storage.example/layer"] };
  const layers = [encrypted, foreign, { ...LAYER, mediaType: "text/x-unknown" }];
  assert.deepEqual(parseManifest(bytes(manifest({ layers }))).layers, layers);
  const mediaType = "application/vnd.oci.artifact.manifest.v1+json";
  const subject = { mediaType: OCI_MANIFEST, digest: DIGEST, size: 3 };
  const artifact = { mediaType, artifactType: "application/spdx+json", blobs: [LAYER], subject };
  assert.deepEqual(parseManifest(bytes(artifact)), {
    mediaType,
    artifactType: "application/spdx+json",
    layers: [LAYER],
    subject,
  });
});

test("deep nesting gives an error and does not crash", () => {
  const error = errorOf(() => parseManifest(bytes("[".repeat(1_000_000))));
  assert.equal(error.code, "manifest");
});

test("any JSON gives either a manifest or a DenrootError without control characters", () => {
  const field = fc.oneof(fc.jsonValue(), fc.constant(CONFIG), fc.constant([LAYER]));
  const names = ["schemaVersion", "mediaType", "config", "layers", "manifests", "artifactType"];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), field), (value) => {
      try {
        parseManifestOrIndex(bytes(value));
      } catch (error) {
        assert.ok(error instanceof DenrootError, String(error));
        assert.doesNotMatch(error.message, /\p{Cc}/u);
      }
    }),
  );
});
