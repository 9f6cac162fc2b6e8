/** Authentication: challenges, tokens, and where credentials never go. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCEPTED_MANIFESTS } from "../../../../lib/oci/media_types.ts";
import { scratchDirectory } from "../../../helpers/scratch.ts";
import { startFakeRegistry } from "../../../helpers/fake_registry.ts";
import {
  basic,
  BEARER,
  challenge,
  configIn,
  token,
  TOKEN_REQUEST,
} from "./authentication_fixture.ts";
import {
  AMD64,
  blobOf,
  blobRequest,
  isError,
  MANIFEST_DIGEST,
  MANIFEST_REQUEST,
  manifestAnswer,
  NEVER,
  open,
  read,
} from "../registry_fixture.ts";
import { resolveImage } from "../../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("authentication");
const config = (credentials: string) => configIn(scratch, credentials);

test("a public image needs one request, without any credentials", async () => {
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, sent: { authorization: null }, answer: manifestAnswer() },
  ]);
  const settings = config("machine 127.0.0.1 login u password p\n");
  await using source = await open(registry.host, { settings });
  assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  assert.equal(source.uri, `docker://${registry.host}#team/app:latest`);
});

test("one request accepts every manifest type that denroot understands", async () => {
  await using registry = await startFakeRegistry([{
    request: MANIFEST_REQUEST,
    sent: { accept: ACCEPTED_MANIFESTS.join(", "), "accept-encoding": "identity" },
    answer: manifestAnswer(),
  }]);
  await using source = await open(registry.host);
  await resolveImage(source, AMD64, NEVER);
});

for (const name of ["token", "access_token"]) {
  test(`an anonymous Bearer token named ${name} is asked for and used`, async () => {
    await using registry = await startFakeRegistry([
      { request: MANIFEST_REQUEST, sent: { authorization: null }, answer: challenge(BEARER) },
      { request: TOKEN_REQUEST, sent: { authorization: null }, answer: token("t1", name) },
      { request: MANIFEST_REQUEST, sent: { authorization: "Bearer t1" }, answer: manifestAnswer() },
    ]);
    await using source = await open(registry.host);
    await resolveImage(source, AMD64, NEVER);
  });
}

test("a token that expires during an import is renewed, and the blob goes on", async () => {
  const content = "0123456789";
  const blob = blobOf(content);
  await using registry = await startFakeRegistry([
    { request: blobRequest(blob), answer: challenge(BEARER) },
    { request: TOKEN_REQUEST, answer: token("t1") },
    {
      request: blobRequest(blob),
      sent: { authorization: "Bearer t1", range: null },
      answer: { body: content, cutAfter: 4 },
    },
    {
      request: blobRequest(blob),
      sent: { authorization: "Bearer t1", range: "bytes=4-9" },
      answer: challenge(BEARER),
    },
    { request: TOKEN_REQUEST, answer: token("t2") },
    {
      request: blobRequest(blob),
      sent: { authorization: "Bearer t2", range: "bytes=4-9" },
      answer: { status: 206, headers: { "Content-Range": "bytes 4-9/10" }, body: "456789" },
    },
  ]);
  await using source = await open(registry.host, { settings: { transferRetries: 1 } });
  assert.equal(await read(source, blob), content);
});

test("many requests that are challenged at once share one token", async () => {
  const blobs = ["a", "b", "c", "d"].map((text) => blobOf(text));
  let tokens = 0;
  await using registry = await startFakeRegistry(({ line, headers }) => {
    if (line.startsWith("GET /token")) return { ...token(`t${++tokens}`), delayMs: 20 };
    if (headers["authorization"] !== "Bearer t1") return challenge(BEARER);
    const text = ["a", "b", "c", "d"].find((text) => line.endsWith(blobOf(text).digest));
    return { body: text! };
  });
  await using source = await open(registry.host);
  const texts = await Promise.all(blobs.map((blob) => read(source, blob)));
  assert.deepEqual(texts, ["a", "b", "c", "d"]);
  assert.equal(tokens, 1);
});

test("Basic credentials are sent where Basic is asked for (ECR's user AWS)", async () => {
  await using registry = await startFakeRegistry([
    {
      request: MANIFEST_REQUEST,
      sent: { authorization: null },
      answer: challenge("Basic realm=x"),
    },
    {
      request: MANIFEST_REQUEST,
      sent: { authorization: basic("AWS", "secret") },
      answer: manifestAnswer(),
    },
  ]);
  const log: string[] = [];
  const settings = config("machine 127.0.0.1 login AWS password secret\n");
  await using source = await open(registry.host, { settings, log });
  await resolveImage(source, AMD64, NEVER);
  assert.deepEqual(log, [`info: Using credentials from ${settings.configPath}/.credentials`]);
});

for (
  const [title, value] of [
    ["in one header", `Basic realm="a, b", ${BEARER}`],
    ["in two headers", ['Basic realm="a"', BEARER]],
  ] as const
) {
  test(`Bearer is preferred where Basic is offered too, ${title}`, async () => {
    await using registry = await startFakeRegistry([
      { request: MANIFEST_REQUEST, answer: challenge(value) },
      {
        request: `${TOKEN_REQUEST}&account=u`,
        sent: { authorization: basic("u", "p") },
        answer: token("t1"),
      },
      { request: MANIFEST_REQUEST, sent: { authorization: "Bearer t1" }, answer: manifestAnswer() },
    ]);
    const settings = config("machine 127.0.0.1 login u password p\n");
    await using source = await open(registry.host, { settings });
    await resolveImage(source, AMD64, NEVER);
  });
}

test("passwords of thousands of characters work (Google's JSON keys)", async () => {
  const key = `{"private_key":"-----BEGIN\\n${"x".repeat(6000)}\\u0020KEY"}`;
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: challenge("Basic realm=x") },
    {
      request: MANIFEST_REQUEST,
      sent: { authorization: basic("_json_key", key) },
      answer: manifestAnswer(),
    },
  ]);
  const settings = config(`machine 127.0.0.1 login _json_key password ${key}\n`);
  await using source = await open(registry.host, { settings });
  await resolveImage(source, AMD64, NEVER);
});

test("a Basic challenge to a Bearer token of a narrow scope leads to a new token (Harbor)", async () => {
  const blob = blobOf("wide");
  const wide = BEARER.replace(":pull", ":pull,push");
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: challenge(BEARER) },
    { request: TOKEN_REQUEST, answer: token("narrow") },
    { request: MANIFEST_REQUEST, answer: manifestAnswer() },
    {
      request: blobRequest(blob),
      sent: { authorization: "Bearer narrow" },
      answer: challenge('Basic realm="harbor"'),
    },
    { request: blobRequest(blob), sent: { authorization: null }, answer: challenge(wide) },
    { request: TOKEN_REQUEST, answer: token("wide") },
    {
      request: blobRequest(blob),
      sent: { authorization: "Bearer wide" },
      answer: { body: "wide" },
    },
  ]);
  await using source = await open(registry.host);
  await resolveImage(source, AMD64, NEVER);
  assert.equal(await read(source, blob), "wide");
});

test("one token is kept for each scope that a challenge leads to", async () => {
  const [a, b] = [blobOf("a"), blobOf("b")];
  const other = BEARER.replace(":pull", ":metadata_read");
  await using registry = await startFakeRegistry([
    { request: blobRequest(a), answer: challenge(BEARER) },
    { request: TOKEN_REQUEST, answer: token("t1") },
    { request: blobRequest(a), sent: { authorization: "Bearer t1" }, answer: { body: "a" } },
    { request: blobRequest(b), sent: { authorization: "Bearer t1" }, answer: challenge(other) },
    { request: TOKEN_REQUEST.replace("pull", "metadata_read%2Cpull"), answer: token("t2") },
    { request: blobRequest(b), sent: { authorization: "Bearer t2" }, answer: { body: "b" } },
    { request: blobRequest(a), sent: { authorization: "Bearer t2" }, answer: challenge(BEARER) },
    { request: blobRequest(a), sent: { authorization: "Bearer t1" }, answer: { body: "a" } },
  ]);
  await using source = await open(registry.host);
  assert.equal(await read(source, a), "a");
  assert.equal(await read(source, b), "b");
  assert.equal(await read(source, a), "a");
});

test("the error for refused credentials names their file and not the secret", async () => {
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: challenge("Basic realm=x") },
    { request: MANIFEST_REQUEST, answer: challenge("Basic realm=x") },
  ]);
  const settings = config("machine 127.0.0.1 login u password hunter2\n");
  await using source = await open(registry.host, { settings });
  await assert.rejects(resolveImage(source, AMD64, NEVER), (error: Error) => {
    assert.match(error.message, /refused the credentials of user u from .*\.credentials$/);
    return !JSON.stringify([error.message, String(error.cause)]).includes("hunter2");
  });
});

/** A server that quotes in its refusal what it was sent. */
const ECHOES: readonly (readonly [title: string, login: string, challenge: string])[] = [
  ["a password", "u password hunter2", "Basic realm=x"],
  ["a password at the token service", "u password hunter2", BEARER],
  ["a refresh token", "<token> password hunter2", BEARER],
];

for (const [title, login, value] of ECHOES) {
  test(`a server that quotes ${title} does not get it shown`, async () => {
    await using registry = await startFakeRegistry(({ line, headers, body }) => {
      const { authorization = "" } = headers;
      if (authorization === "" && line.startsWith("GET /v2/")) return challenge(value);
      const pair = atob(authorization.replace(/^Basic /, ""));
      const message = `bad ${authorization} ${pair} ${body} at https://me:hunter2@h/?sig=hunter2`;
      return { status: 403, body: JSON.stringify({ errors: [{ code: "DENIED", message }] }) };
    });
    const settings = config(`machine 127.0.0.1 login ${login}\n`);
    await using source = await open(registry.host, { settings });
    await assert.rejects(resolveImage(source, AMD64, NEVER), (error: Error) => {
      assert.match(`${error.message} ${error.cause}`, /DENIED bad/);
      assert.doesNotMatch(`${error.message} ${error.cause}`, /hunter2|aHVudGVyM|dTpodW50ZXIy/);
      return true;
    });
  });
}

test("a signature in a redirect's target is not shown", async () => {
  await using registry = await startFakeRegistry(({ line }) =>
    line.includes("/v2/")
      ? { status: 307, headers: { location: "{origin}/blob?X-Amz-Signature=hunter2" } }
      : { status: 403, body: "<Error><Message>hunter2 is expired</Message></Error>" }
  );
  await using source = await open(registry.host);
  await assert.rejects(resolveImage(source, AMD64, NEVER), (error: Error) => {
    assert.match(error.message, /\*\*\* is expired/);
    assert.doesNotMatch(`${error.message} ${error.stack}`, /hunter2/);
    return true;
  });
});

test("a registry that asks for Basic where there are no credentials has an error of its own", async () => {
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: challenge("Basic realm=x") },
  ]);
  await using source = await open(registry.host);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("credentials", /asks for a user and a password/),
  );
});

test("a token that is refused again and again ends in an error", async () => {
  let tokens = 0;
  await using registry = await startFakeRegistry(({ line }) =>
    line.startsWith("GET /token") ? token(`t${++tokens}`) : challenge(BEARER)
  );
  await using source = await open(registry.host);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("credentials", /authentication is required/),
  );
  assert.equal(tokens, 3);
});
