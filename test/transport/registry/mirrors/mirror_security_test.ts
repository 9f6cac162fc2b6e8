/** Insecure registries and credentials: rights of one host never apply to another. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeServerCertificate } from "../../../helpers/certificates.ts";
import type { Answer } from "../../../helpers/fake_registry.ts";
import { scratchDirectory } from "../../../helpers/scratch.ts";
import { basic, challenge, configIn, token } from "../auth/authentication_fixture.ts";
import { BIG, BIG_LAYER, openMirrored, serve, TWO_LAYERS, WHOLE } from "./mirrors_fixture.ts";
import { AMD64, isError, manifestAnswer, NEVER, read } from "../registry_fixture.ts";
import { resolveImage } from "../../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("mirror-security");
const { certFile, keyFile } = await makeServerCertificate(join(scratch, "tls"));
const tls = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
const MANIFEST_PATH = "/v2/team/app/manifests/latest";
const STRICT = { allowHttp: false, transferRetries: 0 };
const INSECURE = "insecure = true";

test("any certificate is accepted from an insecure mirror, but not from its origin", async () => {
  await using mirror = await serve(WHOLE, { tls });
  await using origin = await serve(WHOLE, { tls });
  const trusted = { host: mirror.host, more: INSECURE };
  await using good = await openMirrored(scratch, origin.host, [trusted], { settings: STRICT });
  await resolveImage(good, AMD64, NEVER);
  assert.equal(await read(good, BIG_LAYER), BIG);
  assert.equal(origin.requests.length, 0);

  await using bad = await openMirrored(scratch, origin.host, [mirror], { settings: STRICT });
  await assert.rejects(
    resolveImage(bad, AMD64, NEVER),
    isError("network", /All 2 registries failed: .*is not trusted.*; .*is not trusted/),
  );
  assert.equal(mirror.requests.length, 2);
  assert.equal(origin.requests.length, 0);
});

test("an insecure origin does not make its mirrors insecure", async () => {
  await using mirror = await serve(WHOLE, { tls });
  await using origin = await serve(WHOLE, { tls });
  const options = { settings: STRICT, more: INSECURE };
  await using source = await openMirrored(scratch, origin.host, [mirror], options);
  await resolveImage(source, AMD64, NEVER);
  assert.deepEqual([mirror.requests.length, origin.requests.length], [0, 1]);
});

test("an insecure mirror may speak plain HTTP, another may not", async () => {
  await using mirror = await serve(WHOLE);
  await using origin = await serve(WHOLE, { tls });
  const insecure = { host: mirror.host, more: INSECURE };
  await using good = await openMirrored(scratch, origin.host, [insecure], { settings: STRICT });
  await resolveImage(good, AMD64, NEVER);
  assert.equal(await read(good, BIG_LAYER), BIG);
  await using bad = await openMirrored(scratch, origin.host, [mirror], { settings: STRICT });
  await assert.rejects(
    resolveImage(bad, AMD64, NEVER),
    isError("network", /All 2 registries failed/),
  );
});

test("each host gets only its own credentials", async () => {
  await using mirror = await serve({ [MANIFEST_PATH]: challenge('Basic realm="mirror"') });
  await using origin = await serve({ [MANIFEST_PATH]: challenge('Basic realm="origin"') });
  const { configPath } = configIn(
    scratch,
    `machine ${mirror.host} login m password mirror-secret\n` +
      `machine ${origin.host} login o password origin-secret\n`,
  );
  const settings = { configPath };
  await using source = await openMirrored(scratch, origin.host, [mirror], { settings });
  await assert.rejects(resolveImage(source, AMD64, NEVER), isError("credentials", /refused/));
  const sent = (server: typeof mirror) =>
    new Set(server.requests.map(({ headers }) => headers["authorization"]));
  assert.deepEqual(sent(mirror), new Set([undefined, basic("m", "mirror-secret")]));
  assert.deepEqual(sent(origin), new Set([undefined, basic("o", "origin-secret")]));
});

test("the user in the reference does not apply to a mirror", async () => {
  await using mirror = await serve({ [MANIFEST_PATH]: challenge('Basic realm="mirror"') });
  await using origin = await serve(WHOLE);
  const { configPath } = configIn(scratch, "default login me password secret\n");
  const reference = { user: "somebody" };
  const options = { settings: { configPath }, reference };
  await using source = await openMirrored(scratch, origin.host, [mirror], options);
  await resolveImage(source, AMD64, NEVER);
  // The file's default is for all users. A search for the named user would find nothing.
  assert.equal(mirror.requests.at(-1)!.headers["authorization"], basic("me", "secret"));
});

/** [title, what the insecure mirror on localhost answers; {victim} is a plain HTTP server elsewhere] */
const LURES: readonly (readonly [title: string, answer: (victim: string) => Answer])[] = [
  [
    "a token service",
    (victim) => challenge(`Bearer realm="${victim}/token",service="x"`),
  ],
  [
    "a redirect",
    (victim) => ({ status: 307, headers: { Location: `${victim}/v2/stolen` } }),
  ],
];

for (const [title, answer] of LURES) {
  test(`an insecure mirror cannot get a password over plain HTTP with ${title}`, async () => {
    await using victim = await serve({
      "/v2/stolen": challenge('Basic realm="x"'),
      "/token": token("t"),
    });
    await using mirror = await serve(
      { [MANIFEST_PATH]: answer(victim.origin) },
      { host: "localhost" },
    );
    await using origin = await serve(WHOLE, { tls });
    const { configPath } = configIn(scratch, `machine ${victim.host} login v password secret\n`);
    const insecure = { host: mirror.host, more: INSECURE };
    const settings = { ...STRICT, configPath };
    await using source = await openMirrored(scratch, origin.host, [insecure], { settings });
    await assert.rejects(
      resolveImage(source, AMD64, NEVER),
      isError("network", /All 2 registries failed/),
    );
    assert(mirror.requests.length > 0);
    for (const { headers } of victim.requests) assert.equal(headers["authorization"], undefined);
  });
}

test("a mirror's token goes to the mirror only", async () => {
  const bearer = 'Bearer realm="{origin}/token",service="reg",scope="repository:team/app:pull"';
  const seen: (string | undefined)[] = [];
  await using mirror = await serve({
    [MANIFEST_PATH]: challenge(bearer),
    "/token?service=reg&scope=repository%3Ateam%2Fapp%3Apull": token("mirror-token"),
  });
  await using origin = await serve({ [MANIFEST_PATH]: manifestAnswer(TWO_LAYERS) });
  await using source = await openMirrored(scratch, origin.host, [mirror]);
  await resolveImage(source, AMD64, NEVER);
  seen.push(...mirror.requests.map(({ headers }) => headers["authorization"]));
  assert(seen.includes("Bearer mirror-token"));
  for (const { headers } of origin.requests) assert.equal(headers["authorization"], undefined);
});

test("a mirror gets no token for another registry's token service", async () => {
  await using hub = await serve({
    "/token?service=hub&scope=repository%3Ateam%2Fapp%3Apull": token("nobody's"),
  });
  const bearer = `Bearer realm="${hub.origin}/token",service="hub",scope="repository:my/own:push"`;
  await using mirror = await serve({ [MANIFEST_PATH]: challenge(bearer) });
  await using origin = await serve(WHOLE);
  const { configPath } = configIn(scratch, `machine ${hub.host} login me password secret\n`);
  const settings = { configPath, transferRetries: 0 };
  await using source = await openMirrored(scratch, origin.host, [mirror], { settings });
  await resolveImage(source, AMD64, NEVER);
  assert(hub.requests.length > 0);
  for (const { line, headers } of hub.requests) {
    assert.equal(line, "GET /token?service=hub&scope=repository%3Ateam%2Fapp%3Apull");
    assert.equal(headers["authorization"], undefined);
  }
});

test("the target of a redirect gets no such token either", async () => {
  await using hub = await serve({});
  await using thief = await serve({
    "/v2/my/own/manifests/x": challenge(
      `Bearer realm="${hub.origin}/token",scope="repository:my/own:pull"`,
    ),
  }, { host: "localhost" });
  const headers = { Location: `${thief.origin}/v2/my/own/manifests/x` };
  await using origin = await serve({ [MANIFEST_PATH]: { status: 307, headers } });
  const { configPath } = configIn(scratch, `machine ${hub.host} login me password secret\n`);
  const settings = { configPath, transferRetries: 0 };
  await using source = await openMirrored(scratch, origin.host, [], { settings });
  await assert.rejects(resolveImage(source, AMD64, NEVER));
  assert.equal(hub.requests.length, 1);
  assert.equal(hub.requests[0]!.headers["authorization"], undefined);
});
