/** Documents and tags: what is put, in which order, and what is left alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../../../lib/oci/digest.ts";
import { DOCKER_MANIFEST, OCI_INDEX } from "../../../../lib/oci/media_types.ts";
import { type Answer, startFakeRegistry, type Step } from "../../../helpers/fake_registry.ts";
import { startUploadRegistry } from "../../../helpers/upload_registry.ts";
import { isError, NEVER } from "../registry_fixture.ts";
import { documentOf, imageOf, indexOf, KEEP, openTo, putImage, REPLACE } from "./write_fixture.ts";

const IMAGE = imageOf("a layer");
const OTHER = imageOf("another layer").document;
const { digest } = IMAGE.document;
const MANIFESTS = "/v2/team/app/manifests";

function tagIs(tag: string, current?: string): Step {
  const headers = { "Docker-Content-Digest": current ?? "" };
  return {
    request: `HEAD ${MANIFESTS}/${tag}`,
    answer: current === undefined ? { status: 404 } : { headers },
  };
}

function tagGets(tag: string, answer: Answer = { status: 201 }): Step {
  const sent = { "content-type": IMAGE.document.mediaType };
  return {
    request: `PUT ${MANIFESTS}/${tag}`,
    sent,
    sentBody: IMAGE.document.bytes.toString(),
    answer,
  };
}

interface CommitOptions {
  readonly replace: boolean;
  readonly furtherTags: readonly string[];
}

async function commit(script: readonly Step[], options: CommitOptions = KEEP, reference = {}) {
  await using registry = await startFakeRegistry(script);
  await using destination = await openTo(registry.host, { reference });
  await destination.commit(IMAGE.document, options, NEVER);
}

test("children come before parents, the tags come last, and every byte stays", async () => {
  await using registry = await startUploadRegistry();
  await using destination = await openTo(registry.host);
  const index = indexOf(IMAGE.document, OTHER);
  for (const image of [IMAGE, imageOf("another layer")]) await putImage(destination, image);
  await destination.putDocument(index, NEVER);
  assert.equal(registry.tags.size, 0);
  await destination.commit(index, { replace: false, furtherTags: ["v1", "v1.2"] }, NEVER);
  assert.deepEqual([...registry.tags.keys()], ["latest", "v1", "v1.2"]);
  assert.deepEqual(registry.manifests.get(index.digest), {
    type: OCI_INDEX,
    bytes: Buffer.from(index.bytes),
  });
  assert.equal(registry.manifests.get(digest)?.type, IMAGE.document.mediaType);
});

test("a document goes with its own media type", async () => {
  const document = documentOf({ config: {}, layers: [] }, DOCKER_MANIFEST);
  await using registry = await startFakeRegistry([{
    request: `PUT ${MANIFESTS}/${document.digest}`,
    sent: { "content-type": DOCKER_MANIFEST },
    sentBody: document.bytes.toString(),
    answer: { status: 201 },
  }]);
  await using destination = await openTo(registry.host);
  await destination.putDocument(document, NEVER);
});

test("a free tag is written", () => commit([tagIs("latest"), tagGets("latest")]));

test("a tag that has the digest already costs one request", () =>
  commit([tagIs("latest", digest)]));

test("the digest may be told by another algorithm", async () => {
  await commit([tagIs("latest", digestOf(IMAGE.document.bytes, "sha512"))]);
});

test("a tag of another image is an error, and no other tag is written", async () => {
  const script = [tagIs("latest"), tagIs("v1", OTHER.digest)];
  await assert.rejects(
    commit(script, { replace: false, furtherTags: ["v1"] }),
    isError("exists", /team\/app:v1 is another image already, sha256:/),
  );
});

test("a tag of another image is taken without a look when that is wanted", () =>
  commit([tagGets("latest")], REPLACE));

test("a tag that does not change is no error when it has the digest already", () =>
  commit([tagGets("latest", { status: 409 }), tagIs("latest", digest)], REPLACE));

test("a digest is enough: the image gets no tag", () =>
  commit([], KEEP, { tag: undefined, digest }));

test("further tags need no tag of the reference, and each is written once", () =>
  commit(
    [tagIs("a"), tagIs("b"), tagGets("a"), tagGets("b")],
    { replace: false, furtherTags: ["a", "b", "a"] },
    { tag: undefined, digest },
  ));

test("another digest than the reference has is an error", async () => {
  const committing = commit([], KEEP, { tag: undefined, digest: OTHER.digest });
  await assert.rejects(committing, isError("digest", /has the digest sha256/));
});

for (
  const [registry, answer] of [
    ["ECR", { status: 400, body: '{"errors":[{"code":"TAG_INVALID","message":"immutable"}]}' }],
    ["Harbor", { status: 412, body: '{"errors":[{"code":"PRECONDITION","message":"immutable"}]}' }],
    ["another registry", { status: 409, body: "immutable" }],
  ] as const
) {
  test(`a tag that ${registry} does not let change is an error in words`, async () => {
    const script = [tagGets("latest", answer), tagIs("latest", OTHER.digest)];
    await assert.rejects(
      commit(script, REPLACE),
      isError("exists", /does not let .*:latest change from sha256:.*immutable/),
    );
  });
}

test("the current image of a tag is told by a HEAD, or by a GET where that does not help", async () => {
  const tag = `${MANIFESTS}/latest`;
  const body = IMAGE.document.bytes;
  await using registry = await startFakeRegistry([
    tagIs("latest", digest),
    tagIs("latest"),
    { request: `HEAD ${tag}`, answer: {} },
    { request: `GET ${tag}`, sent: { accept: /image\.index/ }, answer: { body } },
    { request: `HEAD ${tag}`, answer: { status: 405 } },
    { request: `GET ${tag}`, answer: { body } },
  ]);
  await using destination = await openTo(registry.host);
  const current = () => destination.current(NEVER);
  assert.deepEqual(
    [await current(), await current(), await current(), await current()],
    [digest, undefined, digest, digest],
  );
  await using nameless = await openTo(registry.host, { reference: { tag: undefined, digest } });
  assert.equal(await nameless.current(NEVER), undefined);
});

test("a registry has a document or has it not", async () => {
  await using registry = await startFakeRegistry([tagIs(digest, digest), tagIs(digest)]);
  await using destination = await openTo(registry.host);
  const descriptor = { mediaType: "", digest, size: 1 };
  assert.ok(await destination.hasDocument(descriptor, NEVER));
  assert.ok(!await destination.hasDocument(descriptor, NEVER));
});

test("a registry that stores a document under another digest is not believed", async () => {
  const headers = { "Docker-Content-Digest": OTHER.digest };
  await using registry = await startFakeRegistry([
    { request: `PUT ${MANIFESTS}/${digest}`, answer: { status: 201, headers } },
  ]);
  await using destination = await openTo(registry.host);
  const put = destination.putDocument(IMAGE.document, NEVER);
  await assert.rejects(put, isError("registry", /stored it as sha256:/));
});

test("bytes without their digest are not put", async () => {
  await using registry = await startFakeRegistry([]);
  await using destination = await openTo(registry.host);
  const put = destination.putDocument({ ...IMAGE.document, digest: OTHER.digest }, NEVER);
  await assert.rejects(put, isError("digest", /instead of/));
});
