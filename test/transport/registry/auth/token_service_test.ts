/** Token services: what they are asked for, how, and what they never get. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Scope } from "../../../../lib/transport/registry/auth/scope.ts";
import { toTokenRequest } from "../../../../lib/transport/registry/auth/token_service.ts";
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
  MANIFEST_REQUEST,
  manifestAnswer,
  NEVER,
  open,
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
