/** What refers to an image, in registries that keep no list of it: an index under a tag. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { OCI_INDEX } from "../../../../lib/oci/media_types.ts";
import { startFakeRegistry } from "../../../helpers/fake_registry.ts";
import { startUploadRegistry, type UploadRegistry } from "../../../helpers/upload_registry.ts";
import { isError, NEVER } from "../registry_fixture.ts";
import {
  descriptorOf,
  documentOf,
  imageOf,
  indexOf,
  openTo,
  putImage,
  referrerTo,
} from "./write_fixture.ts";

const IMAGE = imageOf("a layer");
const TAG = IMAGE.document.digest.replace(":", "-");
const PATH = `/v2/team/app/manifests/${TAG}`;
const NOTE = referrerTo(IMAGE.document, "one");
const ENTRY = {
  ...descriptorOf(NOTE),
  artifactType: "application/x-note",
  annotations: { name: "one" },
};

/** The entries of the index that the registry has for the image. */
function entriesIn(registry: UploadRegistry): readonly { digest: string }[] {
  const { bytes, type } = registry.manifests.get(registry.tags.get(TAG)!)!;
  assert.equal(type, OCI_INDEX);
  return JSON.parse(bytes.toString()).manifests;
}

test("a registry that lists referrers by itself gets no index", async () => {
  await using registry = await startUploadRegistry({ referrers: true });
  await using destination = await openTo(registry.host);
  await putImage(destination, IMAGE);
  await destination.putDocument(NOTE, NEVER);
  assert.equal(registry.tags.size, 0);
});

test("a registry without such lists gets an index under the tag that stands for it", async () => {
  await using registry = await startUploadRegistry();
  await using destination = await openTo(registry.host);
  await putImage(destination, IMAGE);
  await destination.putDocument(NOTE, NEVER);
  assert.deepEqual(entriesIn(registry), [ENTRY]);
  const before = registry.log.length;
  await destination.putDocument(NOTE, NEVER);
  assert.deepEqual(entriesIn(registry), [ENTRY]);
  assert.equal(registry.log.length - before, 2, "the index is read and not written again");
});

test("an image that refers to another is listed by its configuration's type, an index by its own", async () => {
  await using registry = await startUploadRegistry();
  await using destination = await openTo(registry.host);
  await putImage(destination, IMAGE);
  const subject = descriptorOf(IMAGE.document);
  const image = JSON.parse(Buffer.from(IMAGE.document.bytes).toString());
  const documents = [
    documentOf({ ...image, subject }),
    documentOf({ manifests: [], subject, artifactType: "x/list" }, OCI_INDEX),
  ];
  for (const document of documents) await destination.putDocument(document, NEVER);
  assert.deepEqual(entriesIn(registry), [
    { ...descriptorOf(documents[0]!), artifactType: image.config.mediaType },
    { ...descriptorOf(documents[1]!), artifactType: "x/list" },
  ]);
});

test("many referrers that are put at once, from several destinations too, are all listed", async () => {
  await using registry = await startUploadRegistry();
  await using one = await openTo(registry.host);
  await using other = await openTo(registry.host);
  await putImage(one, IMAGE);
  const notes = Array.from({ length: 12 }, (_, i) => referrerTo(IMAGE.document, `${i}`));
  await Promise.all(
    notes.map((note, i) => (i % 2 === 0 ? one : other).putDocument(note, NEVER)),
  );
  const listed = entriesIn(registry).map(({ digest }) => digest);
  assert.deepEqual(listed.toSorted(), notes.map(({ digest }) => digest).toSorted());
});

/** An index of referrers as another client wrote it, with things that denroot does not know. */
function listOf(...names: readonly string[]): string {
  const manifests = names.map((name) => descriptorOf(referrerTo(IMAGE.document, name)));
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests,
    annotations: { x: "y" },
  });
}

const PUT_NOTE = {
  request: `PUT /v2/team/app/manifests/${NOTE.digest}`,
  answer: { status: 201 },
};

test("entries of others stay, and one who writes at the same time is not overwritten", async () => {
  const withNote = (...names: readonly string[]) => {
    const list = JSON.parse(listOf(...names));
    return JSON.stringify({ ...list, manifests: [...list.manifests, ENTRY] });
  };
  await using registry = await startFakeRegistry([
    PUT_NOTE,
    { request: `GET ${PATH}`, answer: { body: listOf("a"), headers: { ETag: '"1"' } } },
    {
      request: `PUT ${PATH}`,
      sent: { "if-match": '"1"' },
      sentBody: withNote("a"),
      answer: { status: 412 },
    },
    { request: `GET ${PATH}`, answer: { body: listOf("a", "b"), headers: { ETag: '"2"' } } },
    {
      request: `PUT ${PATH}`,
      sent: { "if-match": '"2"', "content-type": OCI_INDEX },
      sentBody: withNote("a", "b"),
      answer: { status: 201 },
    },
    { request: `GET ${PATH}`, answer: { body: withNote("a", "b") } },
  ]);
  await using destination = await openTo(registry.host);
  await destination.putDocument(NOTE, NEVER);
});

test("an entry that another writer has lost is added again", async () => {
  const body = JSON.stringify({ manifests: [ENTRY] });
  await using registry = await startFakeRegistry([
    PUT_NOTE,
    { request: `GET ${PATH}`, answer: { status: 404 } },
    { request: `PUT ${PATH}`, sent: { "if-match": null }, answer: { status: 201 } },
    { request: `GET ${PATH}`, answer: { body: listOf("b") } },
    { request: `PUT ${PATH}`, answer: { status: 201 } },
    { request: `GET ${PATH}`, answer: { body } },
  ]);
  await using destination = await openTo(registry.host);
  await destination.putDocument(NOTE, NEVER);
});

test("writers that never come to an end are an error", async () => {
  await using registry = await startFakeRegistry(({ line }) =>
    line.startsWith("GET") ? { body: listOf("b") } : { status: line.endsWith(TAG) ? 412 : 201 }
  );
  await using destination = await openTo(registry.host);
  const put = destination.putDocument(NOTE, NEVER);
  await assert.rejects(put, isError("registry", /changed by others again and again/));
});

for (
  const [title, body] of [
    ["an image", Buffer.from(IMAGE.document.bytes).toString()],
    ["no JSON", "hello"],
    ["an index without a list", '{"manifests":{}}'],
  ] as const
) {
  test(`a tag that should be the list and is ${title} is left alone`, async () => {
    await using registry = await startFakeRegistry([PUT_NOTE, {
      request: `GET ${PATH}`,
      answer: { body },
    }]);
    await using destination = await openTo(registry.host);
    const put = destination.putDocument(NOTE, NEVER);
    await assert.rejects(put, isError("registry", /should be a list of what refers to an image/));
  });
}

test("an index of platforms has no subject, and needs no list", async () => {
  await using registry = await startUploadRegistry();
  await using destination = await openTo(registry.host);
  await putImage(destination, IMAGE);
  await destination.putDocument(indexOf(IMAGE.document), NEVER);
  assert.equal(registry.tags.size, 0);
});
