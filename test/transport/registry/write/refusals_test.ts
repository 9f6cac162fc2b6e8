/** What a registry refuses is told in words; what it only puts off is tried again. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DenrootError, type ErrorCode } from "../../../../lib/errors.ts";
import { type Answer, startFakeRegistry } from "../../../helpers/fake_registry.ts";
import { startUploadRegistry } from "../../../helpers/upload_registry.ts";
import { serve } from "../../../http/http_fixture.ts";
import { blobOf, isError, NEVER } from "../registry_fixture.ts";
import { bytesOf, imageOf, noise, openTo, UPLOADS } from "./write_fixture.ts";

const { document } = imageOf("a layer");
const PUT_MANIFEST = `PUT /v2/team/app/manifests/${document.digest}`;

/** More than the buffers of a connection hold. */
const LARGE = Buffer.concat(Array.from({ length: 20 }, () => noise(1_000_000)));

function told(code: string, message = "no", detail: unknown = undefined): string {
  return JSON.stringify({ errors: [{ code, message, detail }] });
}

/** For `assert.rejects`: both the message and the hint have to say it. */
function says(code: ErrorCode, message: RegExp, hint: RegExp) {
  return (error: unknown): boolean => {
    isError(code, message)(error);
    assert.match((error as DenrootError).hint ?? "", hint);
    return true;
  };
}

for (
  const [title, answer, code, message, hint] of [
    [
      "a manifest whose blob is not there",
      { status: 400, body: told("MANIFEST_BLOB_UNKNOWN", "blob unknown", "sha256:0000") },
      "registry",
      /MANIFEST_BLOB_UNKNOWN blob unknown sha256:0000/,
      /everything that it names/,
    ],
    [
      "a manifest that is too large",
      { status: 413, body: "too large" },
      "registry",
      /answered 413/,
      /limits the size/,
    ],
    [
      "a full quota",
      { status: 403, body: told("DENIED", "quota exceeded") },
      "credentials",
      /quota exceeded/,
      /quota has room left/,
    ],
    [
      "an account that may only read",
      { status: 401, body: told("UNAUTHORIZED") },
      "credentials",
      /authentication is required/,
      /may write to this repository/,
    ],
    [
      "a repository that is not there",
      { status: 404, body: told("NAME_UNKNOWN", "repository unknown") },
      "not_found",
      /repository unknown/,
      /Make the repository first/,
    ],
    [
      "a name that is too deep",
      { status: 400, body: told("NAME_INVALID", "invalid name") },
      "registry",
      /invalid name/,
      /names of two parts/,
    ],
    [
      "a registry that only reads",
      { status: 405, body: told("UNSUPPORTED") },
      "registry",
      /answered 405/,
      /administrator/,
    ],
  ] as const satisfies readonly (readonly [string, Answer, ErrorCode, RegExp, RegExp])[]
) {
  test(`${title} is told in words`, async () => {
    await using registry = await startFakeRegistry([{ request: PUT_MANIFEST, answer }]);
    await using destination = await openTo(registry.host);
    const put = destination.putDocument(document, NEVER);
    await assert.rejects(put, says(code, message, hint));
  });
}

for (
  const [title, status, code, message] of [
    [
      "no credentials",
      401,
      "credentials",
      /authentication is required, status 401.*because I say so/,
    ],
    ["no repository", 404, "not_found", /not found, status 404.*because I say so/],
    ["a forbidden write", 403, "credentials", /access is denied, status 403.*because I say so/],
    ["an unknown method", 405, "registry", /answered 405.*because I say so/],
  ] as const
) {
  test(`an answer in mid-upload is read and told: ${title}`, async () => {
    let isCancelled = false;
    await using server = await serve((request, response) => {
      request.on("error", () => {});
      const { method } = request;
      if (method === "PATCH") {
        return void response.writeHead(status).end(told("SOMETHING", "because I say so"));
      }
      if (method === "DELETE") isCancelled = true;
      const isHead = method === "HEAD";
      response.writeHead(isHead ? 404 : 202, { location: `${UPLOADS}1` }).end();
    });
    await using destination = await openTo(server.url.host);
    const opened: number[] = [];
    const open = bytesOf(LARGE, { opened, chunkBytes: 100_000 });
    await assert.rejects(destination.putBlob(blobOf(LARGE), open, NEVER), isError(code, message));
    // A session may be lost, and a new one then tried; what is forbidden stays so.
    assert.equal(opened.length, status === 404 ? 3 : 1);
    assert.ok(isCancelled, "the upload was not cancelled");
  });
}

test("a registry that is busy is asked again when it wants that, and gets fewer requests at once", async () => {
  let refusals = 3;
  await using registry = await startUploadRegistry({
    fault(moment, method) {
      if (moment !== "before" || method !== "PATCH" || refusals === 0) return undefined;
      refusals--;
      return { status: 429, headers: { "retry-after": "1" } };
    },
  });
  const limits = { retryAfterMaxMs: 60 };
  await using destination = await openTo(registry.host, { limits });
  const blobs = [1, 2, 3, 4, 5, 6].map((seed) => noise(5000, seed));
  const started = performance.now();
  await Promise.all(blobs.map((blob) => destination.putBlob(blobOf(blob), bytesOf(blob), NEVER)));
  assert.equal(registry.blobs.size, 6);
  assert.equal(refusals, 0);
  const requests = new Set(registry.log.map((line) => line.split(" ")[0]));
  assert.deepEqual(requests, new Set(["POST", "PATCH", "PUT"]), "it asked more than it had to");
  assert.ok(performance.now() - started >= 60, "it did not wait");
});

test("after a refusal because of their number fewer requests are open at once", async () => {
  let [refusals, open, most] = [2, 0, 0];
  await using registry = await startFakeRegistry(async ({ line }) => {
    if (!line.startsWith("PUT")) return { status: 404 };
    if (refusals > 0 && refusals--) return { status: 429 };
    most = Math.max(most, ++open);
    await sleep(10);
    open--;
    return { status: 201 };
  });
  await using destination = await openTo(registry.host, { settings: { maxConnections: 4 } });
  const images = Array.from({ length: 8 }, (_, i) => imageOf(`${i}`).document);
  await destination.putDocument(images[0]!, NEVER);
  await Promise.all(images.map((image) => destination.putDocument(image, NEVER)));
  assert.equal(most, 1);
});

test("one connection is enough, however much a registry has to say", async () => {
  const body = "x".repeat(300_000);
  await using registry = await startFakeRegistry(({ line }) => {
    const status = line.startsWith("POST") || line.startsWith("PATCH") ? 202 : 201;
    return { status, headers: { Location: `${UPLOADS}1` }, body };
  });
  await using destination = await openTo(registry.host, {
    settings: { maxConnections: 1 },
    limits: { bufferedBytes: 1000 },
  });
  await destination.mount(blobOf("text"), "base/os", NEVER);
  await destination.putBlob(blobOf("text"), bytesOf("text"), NEVER);
  await destination.putDocument(document, NEVER);
});

test("a failure of the server is tried again, as often as the settings allow", async () => {
  const busy = { request: PUT_MANIFEST, answer: { status: 503 } };
  await using registry = await startFakeRegistry([busy, busy, {
    request: PUT_MANIFEST,
    answer: { status: 201 },
  }]);
  await using destination = await openTo(registry.host);
  await destination.putDocument(document, NEVER);
});

test("a registry may take long to digest a large blob", async () => {
  await using server = await serve(async (request, response) => {
    for await (const _ of request);
    if (request.method === "PUT") await sleep(300);
    const status = request.method === "PUT" ? 201 : 202;
    response.writeHead(status, { location: `${UPLOADS}1` }).end();
  });
  await using destination = await openTo(server.url.host, { limits: { stallTimeoutMs: 100 } });
  await destination.putBlob(blobOf("text"), bytesOf("text"), NEVER);
});

/** A registry that judges a PATCH by its head, and keeps what it takes. */
async function serveUploads(
  judge: (url: string, authorization: string | undefined) => number,
) {
  const seen: string[] = [];
  const taken: Buffer[] = [];
  let tokens = 0;
  const server = await serve(async (request, response) => {
    request.on("error", () => {});
    const { method, headers } = request;
    const url = request.url!;
    if (url.startsWith("/token")) {
      return void response.end(JSON.stringify({ token: `t${++tokens}` }));
    }
    seen.push(`${method} ${url.split("?")[0]!.replace(UPLOADS, "")}`);
    const status = method === "PATCH" ? judge(url, headers.authorization) : 0;
    if (status !== 0) {
      const location = `${UPLOADS}moved`;
      const bearer = `Bearer realm="${server.url.origin}/token",service="reg"`;
      return void response.writeHead(status, { location, "www-authenticate": bearer }).end();
    }
    for await (const chunk of request) taken.push(chunk);
    response.writeHead(method === "PUT" ? 201 : 202, { location: `${UPLOADS}1` }).end();
  });
  return { ...server, seen, content: () => Buffer.concat(taken) };
}

for (
  const [title, judge, last] of [
    [
      "a token that ends in mid-upload is renewed, and the bytes are sent again",
      (_: string, authorization: string | undefined) => authorization === "Bearer t1" ? 0 : 401,
      "PATCH 1",
    ],
    [
      "a redirect in mid-upload gets all the bytes again",
      (url: string) => url.endsWith("moved") ? 0 : 307,
      "PATCH moved",
    ],
  ] as const
) {
  test(`${title}, in the same upload`, async () => {
    await using server = await serveUploads(judge);
    await using destination = await openTo(server.url.host, { settings: { transferRetries: 0 } });
    const open = bytesOf(LARGE, { chunkBytes: 100_000 });
    await destination.putBlob(blobOf(LARGE), open, NEVER);
    assert.ok(server.content().equals(LARGE));
    assert.deepEqual(server.seen, ["POST ", "PATCH 1", last, "PUT 1"]);
  });
}

test("redirects that lead in a circle come to an end", async () => {
  await using server = await serveUploads(() => 307);
  await using destination = await openTo(server.url.host);
  const open = bytesOf(LARGE, { chunkBytes: 100_000 });
  const put = destination.putBlob(blobOf(LARGE), open, NEVER);
  await assert.rejects(put, isError("registry", /moved the upload|redirects more than/));
});
