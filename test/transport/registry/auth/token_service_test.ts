/** Token services: what they are asked for, how, and what they never get. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createHttpClient } from "../../../../lib/http/client.ts";
import { TransferError } from "../../../../lib/http/transfer_error.ts";
import type { Scope } from "../../../../lib/transport/registry/auth/scope.ts";
import {
  checkRealm,
  fetchToken,
  toTokenRequest,
} from "../../../../lib/transport/registry/auth/token_service.ts";
import type { Credentials } from "../../../../lib/transport/registry/credentials/credentials.ts";
import type { RegistryLimits } from "../../../../lib/transport/registry/limits.ts";
import { scratchDirectory } from "../../../helpers/scratch.ts";
import { startFakeRegistry } from "../../../helpers/fake_registry.ts";
import {
  basic,
  BEARER,
  challenge,
  configIn,
  SCOPE,
  token,
  TOKEN_REQUEST,
} from "./authentication_fixture.ts";
import {
  AMD64,
  isError,
  makeSettings,
  MANIFEST_REQUEST,
  manifestAnswer,
  NEVER,
  open,
  QUICK_LIMITS,
} from "../registry_fixture.ts";
import { resolveImage } from "../../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("token-service");
const config = (credentials: string) => configIn(scratch, credentials);

test("credentials under the token service's host are found (NGC's two hosts)", async () => {
  await using service = await startFakeRegistry([{
    request: `${TOKEN_REQUEST}&account=%24oauthtoken`,
    sent: { authorization: basic("$oauthtoken", "key") },
    answer: token("t1"),
  }], { host: "localhost" });
  const value = `Bearer realm="${service.origin}/token",service="reg",scope="${SCOPE}"`;
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: challenge(value) },
    { request: MANIFEST_REQUEST, sent: { authorization: "Bearer t1" }, answer: manifestAnswer() },
  ]);
  const settings = config("machine localhost login $oauthtoken password key\n");
  await using source = await open(registry.host, { settings });
  await resolveImage(source, AMD64, NEVER);
});

test("a registry's password is never sent to a foreign host over plain HTTP", async () => {
  await using service = await startFakeRegistry([], { host: "localhost" });
  await using registry = await startFakeRegistry([{
    request: MANIFEST_REQUEST,
    answer: challenge(`Bearer realm="${service.origin}/token",service="reg"`),
  }]);
  const settings = config("machine 127.0.0.1 login u password p\n");
  await using source = await open(registry.host, { settings });
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("credentials", /is not sent to another host, localhost:\d+, over plain HTTP/),
  );
});

test("an Azure refresh token is posted, and no password is sent", async () => {
  const zeros = "00000000-0000-0000-0000-000000000000";
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: challenge(BEARER) },
    {
      request: "POST /token",
      sent: { authorization: null, "content-type": "application/x-www-form-urlencoded" },
      sentBody: "service=reg&grant_type=refresh_token&client_id=denroot" +
        `&scope=${encodeURIComponent(SCOPE)}&refresh_token=r%2Bt`,
      answer: token("t1", "access_token"),
    },
    { request: MANIFEST_REQUEST, sent: { authorization: "Bearer t1" }, answer: manifestAnswer() },
  ]);
  const settings = config(`machine 127.0.0.1 login ${zeros} password r+t\n`);
  await using source = await open(registry.host, { settings });
  await resolveImage(source, AMD64, NEVER);
});

for (const status of [404, 405]) {
  test(`a token service that answers POST with ${status} is asked with GET`, async () => {
    await using registry = await startFakeRegistry([
      { request: MANIFEST_REQUEST, answer: challenge(BEARER) },
      { request: "POST /token", answer: { status } },
      {
        request: `${TOKEN_REQUEST}&account=%3Ctoken%3E`,
        sent: { authorization: basic("<token>", "refresh") },
        answer: token("t1"),
      },
      { request: MANIFEST_REQUEST, sent: { authorization: "Bearer t1" }, answer: manifestAnswer() },
    ]);
    const settings = config("machine 127.0.0.1 login <token> password refresh\n");
    await using source = await open(registry.host, { settings });
    await resolveImage(source, AMD64, NEVER);
  });
}

for (const parameter of ["", ',scope=""']) {
  test(`no empty scope is sent after a challenge with ${parameter || "none"}`, async () => {
    await using registry = await startFakeRegistry([
      {
        request: MANIFEST_REQUEST,
        answer: challenge(`Bearer realm="{origin}/token",service="reg"${parameter}`),
      },
      { request: TOKEN_REQUEST, answer: token("t1") },
      { request: MANIFEST_REQUEST, answer: manifestAnswer() },
    ]);
    await using source = await open(registry.host);
    await resolveImage(source, AMD64, NEVER);
  });
}

const READ: Scope = { repository: "team/app", actions: ["pull"] };
const WRITE: Scope = { repository: "team/app", actions: ["pull", "push"] };
const PUSH: Scope = { repository: "team/app", actions: ["push"] };
const READ_OTHER: Scope = { repository: "base/os", actions: ["pull"] };
const WRITE_SCOPE = "repository:team/app:pull,push";
const OTHER_SCOPE = "repository:base/os:pull";

/** [what the request needs, the scope of a challenge, what is asked for] */
const SCOPES: readonly (readonly [
  wanted: readonly Scope[],
  challenged: string,
  sent: readonly string[],
])[] = [
  [[READ], "", [SCOPE]],
  [[READ], "repository:team/app:pull,push,delete", [SCOPE]],
  [[READ], "repository:team/app:*", [SCOPE]],
  [[READ], "registry:catalog:* repository:team/app:pull", [SCOPE]],
  [[READ], "repository:my/private:pull", [SCOPE]],
  [[READ], "repository:team/app/private:metadata_read", [SCOPE]],
  [[READ], "repository:team/apq:metadata_read", [SCOPE]],
  [[PUSH], "repository:team/app:metadata_read", ["repository:team/app:push"]],
  [[READ], "aws", [SCOPE]],
  [[READ], "repository:team/app:metadata_read,push", ["repository:team/app:metadata_read,pull"]],
  [[WRITE], "", [WRITE_SCOPE]],
  [[WRITE], "repository:team/app:pull", [WRITE_SCOPE]],
  [[WRITE], "repository:team/app:pull,push,delete", [WRITE_SCOPE]],
  [[WRITE, READ_OTHER], "repository:team/app:push", [WRITE_SCOPE, OTHER_SCOPE]],
  [[WRITE, READ_OTHER], "repository:base/os:push,pull", [WRITE_SCOPE, OTHER_SCOPE]],
];

for (const [wanted, challenged, sent] of SCOPES) {
  test(`for a challenge of "${challenged}" the scopes ${sent.join(" ")} are asked for`, () => {
    const parameters = new Map([["realm", "/token"], ["scope", challenged]]);
    const url = new URL("https://registry.example/");
    const { scopes } = toTokenRequest({ scheme: "bearer", parameters }, wanted, url);
    assert.deepEqual(scopes, sent);
  });
}

test("a refused anonymous token is an error of the token service", async () => {
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: challenge(BEARER) },
    { request: TOKEN_REQUEST, answer: { status: 401, body: '{"details":"who are you"}' } },
  ]);
  await using source = await open(registry.host);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("credentials", /The token service .*authentication is required.*who are you/),
  );
});

const PASSWORD: Credentials = { username: "u", password: "p", origin: "a file", host: "x" };

/** Asks a token service at `origin`. */
async function ask(
  origin: string,
  credentials: Credentials | undefined,
  limits: Partial<RegistryLimits> = {},
): Promise<string> {
  const http = createHttpClient(makeSettings(), QUICK_LIMITS);
  const context = { http, limits: { ...QUICK_LIMITS, ...limits }, mayUseHttp: () => true };
  try {
    return await fetchToken(
      { realm: new URL(`${origin}/token`), scopes: [SCOPE], credentials },
      context,
      NEVER,
    );
  } finally {
    http.close();
  }
}

const ASKED = `GET /token?scope=${encodeURIComponent(SCOPE)}`;

test("a token service that redirects to another origin does not take the password along", async () => {
  const sent = { authorization: basic("u", "p") };
  await using other = await startFakeRegistry([
    { request: "GET /there", sent: { authorization: null }, answer: token("t1") },
  ]);
  await using service = await startFakeRegistry([
    {
      request: `${ASKED}&account=u`,
      sent,
      answer: { status: 307, headers: { Location: "/here" } },
    },
    {
      request: "GET /here",
      sent,
      answer: { status: 307, headers: { Location: `${other.origin}/there` } },
    },
  ]);
  assert.equal(await ask(service.origin, PASSWORD, { redirects: 2 }), "t1");
});

test("a token service that redirects again and again is given up", async () => {
  await using service = await startFakeRegistry(() => ({
    status: 307,
    headers: { Location: "/token" },
  }));
  const asking = ask(service.origin, undefined, { redirects: 2 });
  await assert.rejects(asking, isError("registry", /redirects more than 2 times/));
  assert.equal(service.requests.length, 3);
});

test("an identity token is the password where there is no other one", async () => {
  await using service = await startFakeRegistry([
    { request: "POST /token", answer: { status: 404 } },
    {
      request: `${ASKED}&account=u`,
      sent: { authorization: basic("u", "identity") },
      answer: token("t1"),
    },
  ]);
  const credentials = { ...PASSWORD, password: "", identityToken: "identity" };
  assert.equal(await ask(service.origin, credentials), "t1");
});

test("an answer that is too large, or has no token that a header can hold, is refused", async () => {
  for (const body of ['{"token":"a b"}', '{"token":"a\\nb"}', '{"token":""}', "null", "[", "{}"]) {
    await using service = await startFakeRegistry([{ request: ASKED, answer: { body } }]);
    const message = body === "null" ? /is no JSON object$/ : /sent no token$/;
    await assert.rejects(ask(service.origin, undefined), isError("registry", message));
  }
  await using service = await startFakeRegistry([{
    request: ASKED,
    answer: token("t".repeat(500)),
  }]);
  const asking = ask(service.origin, undefined, { tokenBytes: 400 });
  await assert.rejects(asking, isError("registry", /sent no token$/));
});

test("a token service that is out of order has not refused the password", async () => {
  for (
    const [status, code, transient] of [
      [503, "registry", true],
      [429, "rate_limit", true],
      [401, "credentials", false],
    ] as const
  ) {
    await using service = await startFakeRegistry(() => ({ status }));
    await assert.rejects(ask(service.origin, PASSWORD), (error) => {
      assert.ok(error instanceof TransferError);
      assert.deepEqual([error.code, error.transient], [code, transient]);
      return true;
    });
  }
});

test("a token service over plain HTTP is asked only if that is allowed, also without a password", () => {
  const [realm, registry] = [new URL("http://auth.example/"), new URL("https://reg.example/")];
  for (const credentials of [undefined, PASSWORD]) {
    assert.throws(
      () => checkRealm(realm, registry, credentials, () => false),
      isError("credentials", /reached over plain HTTP/),
    );
  }
  checkRealm(realm, registry, undefined, () => true);
});

test("a password that a token service refuses is not sent as Basic, unless that is offered", async () => {
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: challenge(BEARER) },
    { request: `${TOKEN_REQUEST}&account=u`, answer: { status: 401 } },
  ]);
  const settings = config("machine 127.0.0.1 login u password p\n");
  await using source = await open(registry.host, { settings });
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("credentials", /refused the credentials of user u/),
  );
});
