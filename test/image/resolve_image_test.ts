/** Tests the way from a source's root to the image for a platform, and the plan of what is read. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { planReading } from "../../lib/image/read_plan.ts";
import { resolveImage } from "../../lib/image/resolve_image.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { DOCKER_MANIFEST, OCI_INDEX } from "../../lib/oci/media_types.ts";
import type { Descriptor, Digest, Platform, StoredDocument } from "../../lib/types/image.ts";
import type { ImageRoot, ImageSource } from "../../lib/types/source.ts";
import {
  AMD64,
  blobOf,
  indexText,
  isError,
  LAYER,
  MANIFEST,
  manifestText,
  NEVER,
} from "../transport/registry/registry_fixture.ts";

const ARM = { os: "linux", architecture: "arm" };

function document(text: string, mediaType = ""): StoredDocument {
  const bytes = Buffer.from(text);
  return { bytes, digest: digestOf(bytes), mediaType };
}

/** A source that has these documents. */
function sourceOf(root: ImageRoot, documents: readonly StoredDocument[] = []): ImageSource {
  return {
    uri: "memory:",
    reference: { scheme: "path", path: "memory" },
    root: () => Promise.resolve(root),
    document: ({ digest }) => Promise.resolve(documents.find((one) => one.digest === digest)!),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function descriptorOf({ digest, bytes }: StoredDocument, platform: Platform): Descriptor {
  return { mediaType: "", digest, size: bytes.length, platform };
}

test("a document that does not say what it is counts as what the source calls it", async () => {
  const root = document(manifestText({ mediaType: undefined }), DOCKER_MANIFEST);
  const { manifest } = await resolveImage(sourceOf({ document: root }), AMD64, NEVER);
  assert.equal(manifest.mediaType, DOCKER_MANIFEST);
});

test("an abort is noticed between two documents", async () => {
  const controller = new AbortController();
  const image = document(MANIFEST);
  const source = sourceOf({ document: document(indexText([[MANIFEST, AMD64]])) });
  const aborting: ImageSource = {
    ...source,
    document() {
      controller.abort();
      return Promise.resolve(image);
    },
  };
  const resolved = resolveImage(aborting, AMD64, controller.signal);
  await assert.rejects(resolved, { code: "aborted" });
});

test("when no platform fits, the message names those of all indexes on the way", async () => {
  const inner = document(indexText([["other", { os: "linux", architecture: "s390x" }]]));
  const entries = [
    { ...blobOf("arm"), platform: ARM },
    { ...blobOf(inner.bytes), mediaType: OCI_INDEX },
  ];
  const outer = document(JSON.stringify({ schemaVersion: 2, manifests: entries }));
  const resolved = resolveImage(sourceOf({ document: outer }, [inner]), AMD64, NEVER);
  await assert.rejects(resolved, isError("platform", /only for linux\/arm, linux\/s390x$/));
});

test("images that share a name are told apart by their variants", async () => {
  const [v6, v7] = [document(manifestText()), document(manifestText({ annotations: { a: "7" } }))];
  const images = [
    descriptorOf(v6, { ...ARM, variant: "v6" }),
    descriptorOf(v7, { ...ARM, variant: "v7" }),
  ];
  const digest = async (wanted: Platform) =>
    (await resolveImage(sourceOf({ images }, [v6, v7]), wanted, NEVER)).digest;
  assert.equal(await digest({ ...ARM, variant: "v6" }), v6.digest);
  assert.equal(await digest({ ...ARM, variant: "v7" }), v7.digest);
});

test("a configuration that names more or fewer layers than the manifest is refused", () => {
  const config = { env: [], entrypoint: [], cmd: [], workingDir: "", volumes: [], labels: {} };
  const diffIds: readonly Digest[] = [LAYER.digest, digestOf(Buffer.from("second"))];
  assert.deepEqual(planReading({ ...config, diffIds }, [LAYER, LAYER]).layers, [
    { descriptor: LAYER, diffId: diffIds[0] },
    { descriptor: LAYER, diffId: diffIds[1] },
  ]);
  for (const layers of [[LAYER], [LAYER, LAYER, LAYER]]) {
    assert.throws(
      () => planReading({ ...config, diffIds }, layers),
      isError("manifest", new RegExp(`names 2 layers, but its manifest names ${layers.length}$`)),
    );
  }
});
