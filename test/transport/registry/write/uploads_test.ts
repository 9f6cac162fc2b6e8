/** The requests of an upload: their form, mounts, tokens, and what is wrong with the bytes. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { DenrootError } from "../../../../lib/errors.ts";
import { digestOf } from "../../../../lib/oci/digest.ts";
import { type Answer, startFakeRegistry, type Step } from "../../../helpers/fake_registry.ts";
import { startUploadRegistry } from "../../../helpers/upload_registry.ts";
import { until } from "../../../http/http_fixture.ts";
import { BEARER, challenge, token, TOKEN_REQUEST } from "../auth/authentication_fixture.ts";
import { blobOf, isError, NEVER } from "../registry_fixture.ts";
import { bytesOf, openTo, UPLOADS } from "./write_fixture.ts";

const TEXT = "a layer";
const BLOB = blobOf(TEXT);
const DIGEST = encodeURIComponent(BLOB.digest);
const WRITE_TOKEN_REQUEST = TOKEN_REQUEST.replace("pull", "pull%2Cpush");
const TAKEN: Answer = { status: 201 };

function opens(location = `${UPLOADS}1`): Step {
  const answer = { status: 202, headers: { Location: location } };
  return { request: `POST ${UPLOADS}`, sent: { "content-length": "0" }, answer };
}

function patch(path: string, answer: Answer = { status: 202 }): Step {
  return { request: `PATCH ${path}`, sentBody: TEXT, answer };
}

function closes(path: string, answer = TAKEN): Step {
  return { request: `PUT ${path}`, sent: { "content-length": "0" }, sentBody: "", answer };
}

async function put(script: readonly Step[], text = TEXT, blob = BLOB): Promise<void> {
  await using registry = await startFakeRegistry(script);
  await using destination = await openTo(registry.host);
  await destination.putBlob(blob, bytesOf(text, { chunkBytes: 3 }), NEVER);
}

test("a blob goes by one PATCH with a length and without a range, and an empty PUT", async () => {
  await put([
    opens(),
    {
      ...patch(`${UPLOADS}1`),
      sent: {
        "content-length": "7",
        "content-range": null,
        "transfer-encoding": null,
        "content-type": "application/octet-stream",
      },
    },
    closes(`${UPLOADS}1?digest=${DIGEST}`),
  ]);
});

test("a blob without bytes needs no PATCH", async () => {
  const empty = blobOf("");
  const end = closes(`${UPLOADS}1?digest=${encodeURIComponent(empty.digest)}`);
  await put([opens(), end], "", empty);
});

test("a blob with a digest of sha512 goes by that digest", async () => {
  const digest = digestOf(Buffer.from(TEXT), "sha512");
  const end = closes(`${UPLOADS}1?digest=${encodeURIComponent(digest)}`);
  await put([opens(), patch(`${UPLOADS}1`), end], TEXT, { ...BLOB, digest });
});

test("a location keeps its query, may be relative, and is a new one after the PATCH", async () => {
  const moved = { status: 202, headers: { Location: "{origin}/other/2?_state=b%2Fc=&x=+1" } };
  await put([
    opens("1?_state=a%3D"),
    patch(`${UPLOADS}1?_state=a%3D`, moved),
    closes(`/other/2?_state=b%2Fc=&x=+1&digest=${DIGEST}`),
  ]);
});

test("an upload on another host gets no credentials, and its challenge gets no answer", async () => {
  await using storage = await startFakeRegistry([
    { ...patch("/put?sig=1"), sent: { authorization: null } },
    {
      ...closes(`/put?sig=1&digest=${DIGEST}`, challenge('Basic realm="x"')),
      sent: { authorization: null },
    },
  ]);
  await using registry = await startFakeRegistry([
    { request: `POST ${UPLOADS}`, answer: challenge(BEARER) },
    { request: WRITE_TOKEN_REQUEST, answer: token("t1") },
    { ...opens(`${storage.origin}/put?sig=1`), sent: { authorization: "Bearer t1" } },
  ]);
  await using destination = await openTo(registry.host);
  const putting = destination.putBlob(BLOB, bytesOf(TEXT), NEVER);
  await assert.rejects(putting, isError("credentials", /authentication is required/));
});

for (const status of [307, 308]) {
  test(`the body is sent again after ${status}`, async () => {
    await put([
      opens(),
      patch(`${UPLOADS}1`, { status, headers: { Location: "/elsewhere?a=b" } }),
      patch("/elsewhere?a=b", { status: 202, headers: { Location: `${UPLOADS}1` } }),
      closes(`${UPLOADS}1?digest=${DIGEST}`),
    ]);
  });
}

test("an upload without a location is refused in words", async () => {
  const script = [{ request: `POST ${UPLOADS}`, answer: { status: 202 } }];
  await assert.rejects(put(script), isError("registry", /did not say where it goes on/));
});

test("a token that ended during a long PATCH is renewed, and only the closing PUT is repeated", async () => {
  const end = closes(`${UPLOADS}1?digest=${DIGEST}`);
  await put([
    { request: `POST ${UPLOADS}`, answer: challenge(BEARER) },
    { request: WRITE_TOKEN_REQUEST, answer: token("t1") },
    opens(),
    { ...patch(`${UPLOADS}1`), sent: { authorization: "Bearer t1" } },
    { ...end, sent: { authorization: "Bearer t1" }, answer: challenge(BEARER) },
    { request: WRITE_TOKEN_REQUEST, answer: token("t2") },
    { ...end, sent: { authorization: "Bearer t2" } },
  ]);
});

const MOUNT = `POST ${UPLOADS}?mount=${DIGEST}&from=base%2Fos`;

test("a mount takes one request, and asks for a token that may read the other repository", async () => {
  await using registry = await startFakeRegistry([
    { request: MOUNT, answer: challenge(BEARER) },
    {
      request: `${WRITE_TOKEN_REQUEST}&scope=repository%3Abase%2Fos%3Apull`,
      answer: token("both"),
    },
    { request: MOUNT, sent: { authorization: "Bearer both" }, answer: TAKEN },
  ]);
  await using destination = await openTo(registry.host);
  assert.ok(await destination.mount(BLOB, "base/os", NEVER));
});

const OPENED = { status: 202, headers: { Location: `${UPLOADS}7` } };

test("the upload that a refused mount has opened is used", async () => {
  await using registry = await startFakeRegistry([
    { request: MOUNT, answer: OPENED },
    patch(`${UPLOADS}7`),
    closes(`${UPLOADS}7?digest=${DIGEST}`),
  ]);
  await using destination = await openTo(registry.host);
  assert.ok(!await destination.mount(BLOB, "base/os", NEVER));
  await destination.putBlob(BLOB, bytesOf(TEXT), NEVER);
});

test("the upload that a refused mount has opened is cancelled when nobody uses it", async () => {
  await using registry = await startFakeRegistry([
    { request: MOUNT, answer: OPENED },
    { request: `DELETE ${UPLOADS}7`, answer: { status: 204 } },
  ]);
  await using destination = await openTo(registry.host);
  assert.ok(!await destination.mount(BLOB, "base/os", NEVER));
});

for (
  const [title, answer] of [
    ["401, as Harbor does", { status: 401 }],
    ["400, as Docker Hub does", { status: 400, body: '{"errors":[{"code":"NAME_INVALID"}]}' }],
    ["404", { status: 404 }],
    ["500", { status: 500 }],
    ["a cut", { hangUp: true }],
    ["an upload without a location", { status: 202 }],
  ] as const
) {
  test(`a mount that a registry refuses with ${title} is no error`, async () => {
    await using registry = await startFakeRegistry([
      { request: MOUNT, answer },
      opens(),
      patch(`${UPLOADS}1`),
      closes(`${UPLOADS}1?digest=${DIGEST}`),
    ]);
    await using destination = await openTo(registry.host);
    assert.ok(!await destination.mount(BLOB, "base/os", NEVER));
    await destination.putBlob(BLOB, bytesOf(TEXT), NEVER);
  });
}

for (
  const [title, text, message] of [
    ["other bytes", "a LAYER", /came as sha256:/],
    ["too many bytes", "a layer!", /came with more than 7 bytes/],
    ["too few bytes", "a laye", /came with 6 bytes, not 7/],
  ] as const
) {
  test(`${title} never get their closing PUT, and the upload is cancelled`, async () => {
    await using registry = await startUploadRegistry();
    await using destination = await openTo(registry.host);
    const putting = destination.putBlob(BLOB, bytesOf(text, { chunkBytes: 3 }), NEVER);
    await assert.rejects(putting, isError("digest", message));
    assert.ok(!registry.log.some((line) => line.startsWith("PUT")));
    await until(() => registry.sessions.size === 0);
    assert.equal(registry.blobs.size, 0);
  });
}

test("a blob that should be empty and is not never gets its closing PUT", async () => {
  await using registry = await startUploadRegistry();
  await using destination = await openTo(registry.host);
  const putting = destination.putBlob(blobOf(""), bytesOf("x"), NEVER);
  await assert.rejects(putting, isError("digest", /more than 0 bytes/));
  assert.equal(registry.blobs.size, 0);
});

test("an error of the blob's source comes through unchanged, and is not tried again", async () => {
  await using registry = await startUploadRegistry();
  await using destination = await openTo(registry.host);
  const error = new DenrootError("network", "the source is gone");
  let opened = 0;
  async function* failing(): AsyncIterable<Uint8Array> {
    opened++;
    yield Buffer.from("a l");
    throw await Promise.resolve(error);
  }
  await assert.rejects(destination.putBlob(BLOB, failing, NEVER), (thrown) => thrown === error);
  assert.equal(opened, 1);
  assert.equal(registry.sessions.size, 0, "the upload is still open");
});

test("only a blob of the right size counts as there, and only in this repository", async () => {
  const head = `HEAD /v2/team/app/blobs/${BLOB.digest}`;
  await using registry = await startFakeRegistry([
    { request: head, answer: { body: TEXT } },
    { request: head, answer: { body: "other" } },
    { request: head, answer: { status: 404 } },
    { request: head, answer: { status: 405 } },
  ]);
  await using destination = await openTo(registry.host);
  const has = () => destination.hasBlob(BLOB, NEVER);
  assert.deepEqual([await has(), await has(), await has(), await has()], [
    true,
    false,
    false,
    false,
  ]);
});
