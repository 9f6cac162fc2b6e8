/** The requests of a client: the scopes of their tokens, and bodies that cannot be sent twice. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createHttpClient, type HttpClient, type HttpResponse } from "../../../lib/http/client.ts";
import { StreamedBody } from "../../../lib/http/streamed_body.ts";
import { TransferError } from "../../../lib/http/transfer_error.ts";
import type { CredentialsFinder } from "../../../lib/transport/registry/credentials/credentials.ts";
import {
  RegistryClient,
  type RegistryClientOptions,
  type RegistryRequest,
} from "../../../lib/transport/registry/registry_client.ts";
import { startFakeRegistry } from "../../helpers/fake_registry.ts";
import { serve, until } from "../../http/http_fixture.ts";
import { basic, BEARER, challenge, token, TOKEN_REQUEST } from "./auth/authentication_fixture.ts";
import { isError, makeSettings, NEVER, QUICK_LIMITS } from "./registry_fixture.ts";

const BLOB = "/v2/team/app/blobs/sha256:0";
const UPLOADS = "/v2/team/app/blobs/uploads/";
const READ: RegistryRequest = { actions: ["pull"], signal: NEVER };
const WRITE: RegistryRequest = { actions: ["pull", "push"], signal: NEVER };
const WRITE_TOKEN_REQUEST = TOKEN_REQUEST.replace("pull", "pull%2Cpush");
const NOBODY: CredentialsFinder = { find: () => Promise.resolve(undefined) };
const OTHER_SCOPE = "&scope=repository%3Abase%2Fos%3Apull";

function connect(
  registry: string,
  credentials: CredentialsFinder = NOBODY,
  more: Partial<RegistryClientOptions> = {},
) {
  const http = more.http ?? createHttpClient(makeSettings(), QUICK_LIMITS);
  const client = new RegistryClient({
    location: { registry, repository: "team/app", insecure: false, isMirror: false },
    allowHttp: true,
    limits: QUICK_LIMITS,
    credentials,
    ...more,
    http,
  });
  return Object.assign(client, { [Symbol.dispose]: () => http.close() });
}

/** A body whose chunks come with pauses. `isEnded`: it was closed or read to its end. */
function streamed(pauseMs: number, ...texts: readonly string[]) {
  const state = { isEnded: false };
  async function* chunks() {
    try {
      for (const text of texts) {
        await sleep(pauseMs);
        yield new TextEncoder().encode(text);
      }
    } finally {
      state.isEnded = true;
    }
  }
  return { body: new StreamedBody(texts.join("").length, chunks()), state };
}

test("a write asks for pull and push, and keeps its token apart from that of reads", async () => {
  await using registry = await startFakeRegistry([
    { request: `HEAD ${BLOB}`, sent: { authorization: null }, answer: challenge(BEARER) },
    { request: TOKEN_REQUEST, answer: token("read") },
    {
      request: `HEAD ${BLOB}`,
      sent: { authorization: "Bearer read" },
      answer: { status: 404 },
    },
    {
      request: `POST ${UPLOADS}`,
      sent: { authorization: null, "content-length": "0" },
      answer: challenge(BEARER.replace(":pull", ":pull,push")),
    },
    { request: WRITE_TOKEN_REQUEST, answer: token("write") },
    {
      request: `POST ${UPLOADS}`,
      sent: { authorization: "Bearer write" },
      answer: { status: 202 },
    },
    {
      request: `PATCH ${UPLOADS}1`,
      sent: { authorization: "Bearer write", "content-length": "8" },
      sentBody: "a b c d ",
      answer: { status: 202 },
    },
    { request: `HEAD ${BLOB}`, sent: { authorization: "Bearer read" }, answer: {} },
  ]);
  using client = connect(registry.host);
  assert.equal((await client.request("HEAD", "blobs/sha256:0", READ)).status, 404);
  assert.equal((await client.request("POST", "blobs/uploads/", WRITE)).status, 202);
  const { body, state } = streamed(5, "a ", "b ", "c ", "d ");
  const url = new URL(`${UPLOADS}1`, registry.origin);
  assert.equal((await client.requestUrl("PATCH", url, { ...WRITE, body })).status, 202);
  assert.ok(state.isEnded);
  assert.equal((await client.request("HEAD", "blobs/sha256:0", READ)).status, 200);
});

test("a mount asks for pull on the other repository too, and keeps that token apart", async () => {
  const mount = "POST /v2/team/app/blobs/uploads/?mount=sha256:0&from=base/os";
  const pushing = BEARER.replace(":pull", ":push");
  await using registry = await startFakeRegistry([
    { request: mount, answer: challenge(pushing) },
    { request: WRITE_TOKEN_REQUEST + OTHER_SCOPE, answer: token("both") },
    { request: mount, sent: { authorization: "Bearer both" }, answer: { status: 201 } },
    { request: `POST ${UPLOADS}`, sent: { authorization: null }, answer: challenge(pushing) },
    { request: WRITE_TOKEN_REQUEST, answer: token("own") },
    { request: `POST ${UPLOADS}`, sent: { authorization: "Bearer own" }, answer: { status: 202 } },
    { request: mount, sent: { authorization: "Bearer both" }, answer: { status: 201 } },
  ]);
  using client = connect(registry.host);
  const furtherScopes = [{ repository: "base/os", actions: ["pull"] }] as const;
  const path = "blobs/uploads/?mount=sha256:0&from=base/os";
  const mounted = await client.request("POST", path, { ...WRITE, furtherScopes });
  assert.equal(mounted.status, 201);
  assert.equal((await client.request("POST", "blobs/uploads/", WRITE)).status, 202);
  assert.equal((await client.request("POST", path, { ...WRITE, furtherScopes })).status, 201);
});

test("a text is sent again after a challenge and after a redirect with 307", async () => {
  const put = "PUT /v2/team/app/manifests/latest";
  await using registry = await startFakeRegistry([
    { request: put, sentBody: "{}", answer: challenge(BEARER) },
    { request: WRITE_TOKEN_REQUEST, answer: token("t1") },
    {
      request: put,
      sent: { authorization: "Bearer t1" },
      sentBody: "{}",
      answer: { status: 307, headers: { Location: "/elsewhere" } },
    },
    {
      request: "PUT /elsewhere",
      sent: { authorization: "Bearer t1", "content-type": "x/y" },
      sentBody: "{}",
      answer: { status: 201 },
    },
  ]);
  using client = connect(registry.host);
  const headers = { "content-type": "x/y" };
  const request = { ...WRITE, headers, body: "{}" };
  assert.equal((await client.request("PUT", "manifests/latest", request)).status, 201);
});

test("many requests that are challenged at once look up the credentials once", async () => {
  let [challenged, finds] = [0, 0];
  await using registry = await startFakeRegistry(async ({ headers }) => {
    if (headers["authorization"] === basic("u", "p")) return {};
    challenged++;
    // All four are challenged before one of them can be answered.
    await until(() => challenged === 4);
    return challenge("Basic realm=x");
  });
  using client = connect(registry.host, {
    async find() {
      finds++;
      await sleep(20);
      return { username: "u", password: "p", origin: "a test", host: registry.host };
    },
  });
  const requests = ["a", "b", "c", "d"].map((name) => client.request("GET", name, READ));
  const responses = await Promise.all(requests);
  assert.deepEqual(responses.map(({ status }) => status), [200, 200, 200, 200]);
  assert.deepEqual([challenged, finds], [4, 1]);
});

for (const status of [301, 302, 303]) {
  test(`a write is not redirected with ${status}: it would become a read`, async () => {
    await using registry = await startFakeRegistry([
      { request: `POST ${UPLOADS}`, answer: { status, headers: { Location: "/elsewhere" } } },
    ]);
    using client = connect(registry.host);
    assert.equal((await client.request("POST", "blobs/uploads/", WRITE)).status, status);
  });
}

interface Verdict {
  readonly status: number;
  readonly location?: string;
}

/**
 * A registry that judges an upload by its head, before the body has come. Its tokens are t1, t2 …
 * `bodies` has those that came whole.
 */
async function serveUploads(judge: (authorization: string | undefined) => Verdict) {
  const bodies: string[] = [];
  let tokens = 0;
  const server = await serve(async (request, response) => {
    request.on("error", () => {});
    if (request.url!.startsWith("/token")) {
      return void response.end(JSON.stringify({ token: `t${++tokens}` }));
    }
    const { status, location } = judge(request.headers.authorization);
    const bearer = `Bearer realm="${server.url.origin}/token",service="reg"`;
    const headers = { "www-authenticate": bearer, ...(location && { location }) };
    if (status >= 300) return void response.writeHead(status, headers).end();
    let text = "";
    for await (const chunk of request) text += chunk;
    bodies.push(text);
    response.writeHead(status).end();
  });
  return { ...server, bodies };
}

test("a body of which nothing was sent goes out after a challenge", async () => {
  await using server = await serveUploads((authorization) => ({
    status: authorization === undefined ? 401 : 202,
  }));
  using client = connect(server.url.host);
  const { body, state } = streamed(250, "one ", "two");
  const response = await client.request("PATCH", "blobs/uploads/1", { ...WRITE, body });
  assert.equal(response.status, 202);
  assert.deepEqual(server.bodies, ["one two"]);
  assert.ok(state.isEnded);
});

test("a token that ends in the middle of an upload is renewed, and the upload fails", async () => {
  const seen: (string | undefined)[] = [];
  await using server = await serveUploads((authorization) => {
    seen.push(authorization);
    return { status: authorization === "Bearer t2" ? 202 : 401 };
  });
  using client = connect(server.url.host);
  const { body, state } = streamed(0, "x".repeat(1e6), ...Array(2000).fill("x".repeat(1e5)));
  await assert.rejects(
    client.request("PATCH", "blobs/uploads/1", { ...WRITE, body }),
    (error) =>
      isError("credentials", /asked for a new token in the middle of an upload/)(error) &&
      error instanceof TransferError && error.transient && error.status === 401,
  );
  await until(() => state.isEnded);
  const again = { ...WRITE, body: "again" };
  assert.equal((await client.request("PATCH", "blobs/uploads/1", again)).status, 202);
  assert.deepEqual(seen, [undefined, "Bearer t1", "Bearer t2"]);
  assert.deepEqual(server.bodies, ["again"]);
});

test("a redirect in the middle of an upload is left to the caller", async () => {
  await using server = await serveUploads(() => ({ status: 307, location: "/v2/elsewhere" }));
  using client = connect(server.url.host);
  const { body, state } = streamed(0, "x".repeat(1e6), ...Array(2000).fill("x".repeat(1e5)));
  const response = await client.request("PATCH", "blobs/uploads/1", { ...WRITE, body });
  assert.equal(response.status, 307);
  assert.equal(response.header("location"), "/v2/elsewhere");
  response.body.destroy();
  await until(() => state.isEnded);
});

test("a body that could not be sent at all is closed", async () => {
  // Nothing listens there.
  using client = connect("127.0.0.1:9");
  const url = new URL("http://127.0.0.1:9/v2/team/app/blobs/uploads/1");
  for (
    const send of [
      (body: StreamedBody) => client.request("PUT", "blobs/uploads/1", { ...WRITE, body }),
      (body: StreamedBody) => client.requestUrl("PUT", url, { ...WRITE, body }),
    ]
  ) {
    const { body, state } = streamed(0, "a", "b");
    await body.peek();
    await assert.rejects(send(body), isError("network", /./));
    await until(() => state.isEnded);
  }
});

test("the target of a redirect gets neither the user nor the other scopes, on another port either", async () => {
  const queries: unknown[] = [];
  const credentials: CredentialsFinder = {
    find(query) {
      queries.push(query);
      return Promise.resolve(undefined);
    },
  };
  const target = "/v2/other/app/blobs/sha256:0";
  await using other = await startFakeRegistry([
    { request: `GET ${target}`, answer: challenge(BEARER) },
    {
      request: TOKEN_REQUEST.replace("team", "other"),
      answer: token("t1"),
    },
    { request: `GET ${target}`, sent: { authorization: "Bearer t1" }, answer: { body: "ok" } },
  ]);
  await using registry = await startFakeRegistry([{
    request: `GET ${BLOB}`,
    answer: { status: 307, headers: { Location: `${other.origin}${target}` } },
  }]);
  using client = connect(registry.host, credentials, { user: "me" });
  const furtherScopes = [{ repository: "base/os", actions: ["pull"] }] as const;
  const response = await client.request("GET", "blobs/sha256:0", { ...READ, furtherScopes });
  assert.equal(await response.body.textStart(10), "ok");
  assert.deepEqual(queries, [{ registry: other.host, repository: "other/app" }]);
});

test("only an insecure registry itself may show any certificate, not the target of its redirect", async () => {
  const unverified: unknown[] = [];
  const answers = [
    { status: 307, location: "https://storage.example/blob" },
    { status: 200, location: undefined },
  ];
  const http: HttpClient = {
    send({ url, isUnverified = false }) {
      unverified.push([url.host, isUnverified]);
      const { status, location } = answers.shift()!;
      const body = { textStart: () => Promise.resolve("") };
      const response = { url, status, body, header: () => location, headers: () => [] };
      return Promise.resolve(response as unknown as HttpResponse);
    },
    close() {},
  };
  const registry = "registry.example";
  const location = { registry, repository: "team/app", insecure: true, isMirror: false };
  using client = connect(registry, NOBODY, { http, location, allowHttp: false });
  await client.request("GET", "blobs/sha256:0", READ);
  assert.deepEqual(unverified, [[registry, true], ["storage.example", false]]);
});

test("one connection is enough for redirects and challenges with long answers", async () => {
  const body = "x".repeat(300_000);
  const redirect = { status: 307, headers: { Location: BLOB }, body };
  await using registry = await startFakeRegistry([
    { request: `GET ${BLOB}`, answer: redirect },
    { request: `GET ${BLOB}`, answer: { ...challenge(BEARER), body } },
    { request: TOKEN_REQUEST, answer: token("t1") },
    { request: `GET ${BLOB}`, answer: { body: "ok" } },
    ...Array.from({ length: 11 }, () => ({ request: `GET ${BLOB}`, answer: redirect })),
    { request: `GET ${BLOB}`, answer: { body: "again" } },
  ]);
  const limits = { ...QUICK_LIMITS, bufferedBytes: 1000 };
  const http = createHttpClient(makeSettings({ maxConnections: 1 }), limits);
  using client = connect(registry.host, NOBODY, { http, limits });
  const get = () => client.request("GET", "blobs/sha256:0", READ);
  assert.equal(await (await get()).body.textStart(10), "ok");
  await assert.rejects(get(), isError("registry", /redirects more than 10 times/));
  assert.equal(await (await get()).body.textStart(10), "again");
});
