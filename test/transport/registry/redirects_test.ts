/** Redirects: nothing secret goes along, and their targets are not used for long. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeServerCertificate } from "../../helpers/certificates.ts";
import { startFakeRegistry } from "../../helpers/fake_registry.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
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
} from "./registry_fixture.ts";
import { resolveImage } from "../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("redirects");
mkdirSync(join(scratch, "config"));
writeFileSync(
  join(scratch, "config/.credentials"),
  "machine 127.0.0.1 login u password p\n",
  { mode: 0o600 },
);
const configPath = join(scratch, "config");

const CONTENT = "0123456789";
const BLOB = blobOf(CONTENT);
const BASIC = { status: 401, headers: { "WWW-Authenticate": "Basic realm=x" } };

for (const status of [301, 302, 303, 307, 308]) {
  test(`redirects of manifests and blobs with ${status} are followed`, async () => {
    await using registry = await startFakeRegistry([
      {
        request: MANIFEST_REQUEST,
        answer: { status, headers: { Location: "/elsewhere?x=1" } },
      },
      { request: "GET /elsewhere?x=1", answer: manifestAnswer() },
      {
        request: blobRequest(BLOB),
        answer: { status, headers: { Location: "{origin}/storage" }, body: "see there" },
      },
      { request: "GET /storage", answer: { body: CONTENT } },
    ]);
    await using source = await open(registry.host);
    assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
    assert.equal(await read(source, BLOB), CONTENT);
  });
}

test("a user, a password and a fragment in a Location are not sent", async () => {
  await using storage = await startFakeRegistry([
    { request: "GET /signed?x=1", sent: { authorization: null }, answer: { body: CONTENT } },
  ]);
  const location = `http://u:secret@${storage.host}/signed?x=1#part`;
  await using registry = await startFakeRegistry([
    { request: blobRequest(BLOB), answer: { status: 307, headers: { Location: location } } },
  ]);
  await using source = await open(registry.host);
  assert.equal(await read(source, BLOB), CONTENT);
});

test("Authorization goes along inside the origin and is dropped outside it", async () => {
  await using storage = await startFakeRegistry([
    { request: "GET /signed", sent: { authorization: null }, answer: { body: CONTENT } },
  ]);
  await using registry = await startFakeRegistry([
    { request: blobRequest(BLOB), answer: BASIC },
    {
      request: blobRequest(BLOB),
      sent: { authorization: /^Basic / },
      answer: { status: 307, headers: { Location: "/here" } },
    },
    {
      request: "GET /here",
      sent: { authorization: /^Basic / },
      answer: { status: 307, headers: { Location: `${storage.origin}/signed` } },
    },
  ]);
  await using source = await open(registry.host, { settings: { configPath } });
  assert.equal(await read(source, BLOB), CONTENT);
});

test("a redirect's target that sends a challenge of its own gets a token of its own", async () => {
  await using mirror = await startFakeRegistry([
    {
      request: "GET /v2/their/app/blobs/x",
      sent: { authorization: null },
      answer: {
        status: 401,
        headers: {
          "WWW-Authenticate": 'Bearer realm="{origin}/token",scope="repository:their/app:pull"',
        },
      },
    },
    {
      request: "GET /token?scope=repository%3Atheir%2Fapp%3Apull",
      sent: { authorization: null },
      answer: { body: '{"token":"theirs"}' },
    },
    {
      request: "GET /v2/their/app/blobs/x",
      sent: { authorization: "Bearer theirs" },
      answer: { body: CONTENT },
    },
  ], { host: "localhost" });
  await using registry = await startFakeRegistry([
    { request: blobRequest(BLOB), answer: BASIC },
    {
      request: blobRequest(BLOB),
      answer: { status: 307, headers: { Location: `${mirror.origin}/v2/their/app/blobs/x` } },
    },
  ]);
  await using source = await open(registry.host, { settings: { configPath } });
  assert.equal(await read(source, BLOB), CONTENT);
});

test("a redirect's target is never given the registry's password", async () => {
  await using thief = await startFakeRegistry([
    { request: "GET /signed", sent: { authorization: null }, answer: BASIC },
  ], { host: "localhost" });
  await using registry = await startFakeRegistry([
    { request: blobRequest(BLOB), answer: BASIC },
    {
      request: blobRequest(BLOB),
      answer: { status: 307, headers: { Location: `${thief.origin}/signed` } },
    },
  ]);
  await using source = await open(registry.host, { settings: { configPath } });
  await assert.rejects(
    read(source, BLOB),
    isError("credentials", /localhost:\d+ asks for a user and a password/),
  );
});

test("after an expired signed URL the registry is asked again", async () => {
  await using storage = await startFakeRegistry([
    {
      request: "GET /first?sig=1",
      answer: { status: 403, body: "<Error><Message>Request has expired</Message></Error>" },
    },
    { request: "GET /second?sig=2", answer: { body: CONTENT } },
  ]);
  await using registry = await startFakeRegistry([
    {
      request: blobRequest(BLOB),
      answer: { status: 307, headers: { Location: `${storage.origin}/first?sig=1` } },
    },
    {
      request: blobRequest(BLOB),
      answer: { status: 307, headers: { Location: `${storage.origin}/second?sig=2` } },
    },
  ]);
  const log: string[] = [];
  await using source = await open(registry.host, { log });
  assert.equal(await read(source, BLOB), CONTENT);
  assert.match(log.join("\n"), /The storage of blob .* refused: .*Request has expired/);
  assert.doesNotMatch(log.join("\n"), /sig=/);
});

test("other ranges of a blob are fetched from the known target, until it fails", async () => {
  const ranged = (start: number, end: number) => ({
    status: 206,
    headers: { "Content-Range": `bytes ${start}-${end - 1}/10` },
    body: CONTENT.slice(start, end),
  });
  await using storage = await startFakeRegistry([
    { request: "GET /one", sent: { range: "bytes=0-3" }, answer: ranged(0, 4) },
    { request: "GET /one", sent: { range: "bytes=4-6" }, answer: ranged(4, 7) },
    { request: "GET /one", sent: { range: "bytes=7-9" }, answer: { status: 403 } },
    { request: "GET /two", sent: { range: "bytes=7-9" }, answer: ranged(7, 10) },
  ]);
  const to = (path: string) => ({
    status: 307,
    headers: { Location: `${storage.origin}${path}` },
  });
  await using registry = await startFakeRegistry([
    { request: blobRequest(BLOB), sent: { range: "bytes=0-3" }, answer: to("/one") },
    { request: blobRequest(BLOB), sent: { range: "bytes=7-9" }, answer: to("/two") },
  ]);
  await using source = await open(registry.host, { settings: { transferRetries: 0 } });
  assert.equal(await read(source, BLOB, { start: 0, end: 4 }), "0123");
  assert.equal(await read(source, BLOB, { start: 4, end: 7 }), "456");
  assert.equal(await read(source, BLOB, { start: 7, end: 10 }), "789");
});

test("at most ten redirects are followed", async () => {
  let count = 0;
  await using registry = await startFakeRegistry(() => ({
    status: 302,
    headers: { Location: `/${++count}` },
  }));
  await using source = await open(registry.host);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("registry", /redirects more than 10 times/),
  );
  assert.equal(count, 11);
});

test("a redirect to another scheme is refused", async () => {
  await using registry = await startFakeRegistry([{
    request: MANIFEST_REQUEST,
    answer: { status: 302, headers: { Location: "file:///etc/passwd" } },
  }]);
  await using source = await open(registry.host);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("registry", /redirects to something that is not an http/),
  );
});

test("over HTTPS", async (t) => {
  const { caFile, certFile, keyFile } = await makeServerCertificate(join(scratch, "tls"));
  const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  const trusting = { allowHttp: false, tls: { certFile: caFile } };

  await t.test("a private authority in SSL_CERT_FILE is trusted", async () => {
    await using registry = await startFakeRegistry([
      { request: MANIFEST_REQUEST, answer: manifestAnswer() },
    ], { tls });
    await using source = await open(registry.host, { settings: trusting });
    assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  });

  await t.test("a private authority in SSL_CERT_DIR is trusted", async () => {
    mkdirSync(join(scratch, "certs"), { recursive: true });
    writeFileSync(join(scratch, "certs/mine.pem"), readFileSync(caFile));
    await using registry = await startFakeRegistry([
      { request: MANIFEST_REQUEST, answer: manifestAnswer() },
    ], { tls });
    const settings = { allowHttp: false, tls: { certDir: join(scratch, "certs") } };
    await using source = await open(registry.host, { settings });
    assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  });

  await t.test("an unknown authority is refused at once, with a hint", async () => {
    await using registry = await startFakeRegistry([], { tls });
    await using source = await open(registry.host, { settings: { allowHttp: false } });
    await assert.rejects(
      resolveImage(source, AMD64, NEVER),
      isError("network", /The certificate of 127\.0\.0\.1:\d+ is not trusted/),
    );
    assert.equal(registry.requests.length, 0);
  });

  await t.test("a redirect from HTTPS to HTTP is refused unless HTTP is allowed", async () => {
    await using storage = await startFakeRegistry(() => ({ body: CONTENT }));
    const to = { status: 307, headers: { Location: `${storage.origin}/plain?sig=secret` } };
    await using registry = await startFakeRegistry(() => to, { tls });
    await using strict = await open(registry.host, { settings: trusting });
    await assert.rejects(
      read(strict, BLOB),
      isError("registry", /redirects from HTTPS to plain HTTP: http:\/\/127[^?]*\/plain$/),
    );
    assert.equal(storage.requests.length, 0);
    await using lax = await open(registry.host, { settings: { ...trusting, allowHttp: true } });
    assert.equal(await read(lax, BLOB), CONTENT);
  });

  await t.test("where HTTP is allowed, a registry that speaks HTTPS only is reached too", async () => {
    await using registry = await startFakeRegistry(() => manifestAnswer(), { tls });
    const settings = { ...trusting, allowHttp: true, transferRetries: 0 };
    await using source = await open(registry.host, { settings });
    assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  });

  await t.test("the error for a plain HTTP registry says that it does not speak HTTPS", async () => {
    await using registry = await startFakeRegistry(() => manifestAnswer());
    const settings = { allowHttp: false, transferRetries: 0 };
    await using source = await open(registry.host, { settings });
    await assert.rejects(
      resolveImage(source, AMD64, NEVER),
      isError("network", /does not speak HTTPS/),
    );
  });
});
