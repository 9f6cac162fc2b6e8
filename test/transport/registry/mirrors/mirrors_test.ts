/** Mirrors: they are asked in order, left when they fail, and never trusted. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../../../lib/oci/digest.ts";
import { OCI_MANIFEST } from "../../../../lib/oci/media_types.ts";
import type { Answer } from "../../../helpers/fake_registry.ts";
import { scratchDirectory } from "../../../helpers/scratch.ts";
import {
  asked,
  BIG,
  BIG_LAYER,
  openMirrored,
  OTHER,
  OTHER_LAYER,
  registriesConf,
  serve,
  TWO_LAYERS,
  WHOLE,
} from "./mirrors_fixture.ts";
import { AMD64, isError, manifestAnswer, NEVER, open, read } from "../registry_fixture.ts";
import { resolveImage } from "../../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("mirrors");
const MANIFEST_DIGEST = digestOf(new TextEncoder().encode(TWO_LAYERS));
const MANIFEST_PATH = "/v2/team/app/manifests/latest";
const BIG_PATH = `/v2/team/app/blobs/${BIG_LAYER.digest}`;

test("when a mirror has the image, all of it comes from there", async () => {
  await using mirror = await serve(WHOLE);
  await using origin = await serve({});
  const log: string[] = [];
  await using source = await openMirrored(scratch, origin.host, [mirror], { log });
  const { digest } = await resolveImage(source, AMD64, NEVER);
  assert.equal(digest, MANIFEST_DIGEST);
  assert.equal(await read(source, BIG_LAYER), BIG);
  assert.equal(await read(source, OTHER_LAYER, { start: 2, end: 5 }), OTHER.slice(2, 5));
  assert.deepEqual(asked(origin), []);
  assert.equal(source.uri, `docker://${origin.host}#team/app:latest`);
  assert.deepEqual(log, [
    `info: docker://${origin.host}#team/app:latest is ${MANIFEST_DIGEST} ` +
    `(from the mirror ${mirror.host}/team/app)`,
  ]);
});

test("without a rule for the image there are no messages, and no other registry is asked", async () => {
  await using mirror = await serve(WHOLE);
  await using origin = await serve(WHOLE);
  const log: string[] = [];
  await using elsewhere = await openMirrored(scratch, "other.example", [mirror], {
    log,
    reference: { registry: origin.host },
  });
  await resolveImage(elsewhere, AMD64, NEVER);
  assert.deepEqual([asked(mirror), asked(origin), log], [[], ["manifests/latest"], []]);
});

/** [what the mirror does, its answer, what the warning says] */
const FAILURES: readonly (readonly [title: string, answer: Answer, warning: RegExp])[] = [
  ["lacks the image", { status: 404 }, /not found, status 404/],
  ["fails", { status: 500 }, /the server failed, status 500/],
  ["is overloaded", { status: 503, headers: { "Retry-After": "3600" } }, /unavailable/],
  ["limits the rate", { status: 429, headers: { "Retry-After": "3600" } }, /too many requests/],
  ["denies access", { status: 403 }, /access is denied/],
  ["asks for authentication", { status: 401 }, /authentication is required/],
  [
    "asks for a password that nobody has",
    { status: 401, headers: { "WWW-Authenticate": 'Basic realm="x"' } },
    /asks for a user and a password/,
  ],
  ["hangs up", { hangUp: true }, /connection .* failed: it was cut/],
  ["stops in the middle", { ...manifestAnswer(TWO_LAYERS), stallAfter: 5 }, /sent nothing for/],
  [
    "is a captive portal",
    { body: "<html>Log in", headers: { "Content-Type": "text/html" } },
    /answered with a web page/,
  ],
  [
    "lies about the digest",
    {
      body: TWO_LAYERS,
      headers: {
        "Content-Type": OCI_MANIFEST,
        "Docker-Content-Digest": `sha256:${"0".repeat(64)}`,
      },
    },
    /announced by/,
  ],
  [
    "redirects in circles",
    { status: 307, headers: { Location: MANIFEST_PATH } },
    /redirects more than/,
  ],
];

for (const [title, answer, warning] of FAILURES) {
  test(`a mirror that ${title} is left with a warning`, async () => {
    await using mirror = await serve({
      [MANIFEST_PATH]: answer,
      [BIG_PATH]: { body: "not asked" },
    });
    await using origin = await serve(WHOLE);
    const log: string[] = [];
    await using source = await openMirrored(scratch, origin.host, [mirror], {
      log,
      limits: {
        mirrorRetryAfterMaxMs: 20,
        ...("stallAfter" in answer && { stallTimeoutMs: 500 }),
      },
    });
    const { digest } = await resolveImage(source, AMD64, NEVER);
    assert.equal(digest, MANIFEST_DIGEST);
    assert.equal(await read(source, BIG_LAYER), BIG);
    const told = log.find((line) => line.includes(`; going on with ${origin.host}/team/app`)) ?? "";
    assert.match(told, warning);
    assert(told.startsWith(`warn: ${mirror.host}/team/app failed: `), told);
    assert.equal(log.at(-1)?.endsWith(`(from ${origin.host}/team/app)`), true);
    assert(
      !asked(mirror).includes(`blobs/${BIG_LAYER.digest}`),
      "blobs come from the manifest's place",
    );
  });
}

test("a mirror that does not listen is tried once more, and then never again", async () => {
  await using origin = await serve(WHOLE);
  await using gone = await serve({});
  const { host } = gone;
  await gone[Symbol.asyncDispose]();
  const log: string[] = [];
  const settings = { transferRetries: 5 };
  await using source = await openMirrored(scratch, origin.host, [{ host }], { log, settings });
  await resolveImage(source, AMD64, NEVER);
  assert.equal(await read(source, OTHER_LAYER), OTHER);
  assert.equal(log.filter((line) => line.includes("trying again")).length, 1);
  assert.equal(log.filter((line) => line.includes("going on with")).length, 1);
});

test("a blob whose mirror dies during the transfer goes on at the next registry", async () => {
  const cut = { [BIG_PATH]: { body: BIG, cutAfter: 4321 } };
  await using first = await serve({ ...WHOLE, ...cut });
  await using second = await serve({ ...WHOLE, [BIG_PATH]: { status: 500 } });
  await using origin = await serve(WHOLE);
  const log: string[] = [];
  const settings = { transferRetries: 0 };
  const options = { log, settings };
  await using source = await openMirrored(scratch, origin.host, [first, second], options);
  await resolveImage(source, AMD64, NEVER);
  assert.equal(await read(source, BIG_LAYER), BIG);
  assert.equal(origin.requests.at(-1)!.headers["range"], "bytes=4321-9999");
  // The two that are down are not asked for the next blob.
  assert.equal(await read(source, OTHER_LAYER), OTHER);
  assert.deepEqual([asked(first).length, asked(second).length, asked(origin).length], [2, 1, 2]);
  assert.deepEqual(log.filter((line) => line.startsWith("warn")).map(mirrorAndNext), [
    [first.host, second.host],
    [second.host, origin.host],
  ]);
});

test("the rest of a blob may come from a registry that ignores ranges", async () => {
  await using mirror = await serve({ ...WHOLE, [BIG_PATH]: { body: BIG, cutAfter: 4321 } });
  await using origin = await serve({ ...WHOLE, [BIG_PATH]: { status: 200, body: BIG } });
  const settings = { transferRetries: 0 };
  await using source = await openMirrored(scratch, origin.host, [mirror], { settings });
  await resolveImage(source, AMD64, NEVER);
  assert.equal(await read(source, BIG_LAYER), BIG);
});

test("many requests that fail at once give one warning", async () => {
  await using mirror = await serve({ ...WHOLE, [BIG_PATH]: { status: 500, delayMs: 50 } });
  await using origin = await serve(WHOLE);
  const log: string[] = [];
  await using source = await openMirrored(scratch, origin.host, [mirror], {
    log,
    settings: { transferRetries: 0 },
  });
  await resolveImage(source, AMD64, NEVER);
  const ranges = [0, 2500, 5000, 7500].map((start) => ({ start, end: start + 2500 }));
  const parts = await Promise.all(ranges.map((range) => read(source, BIG_LAYER, range)));
  assert.equal(parts.join(""), BIG);
  assert.equal(log.filter((line) => line.startsWith("warn")).length, 1);
});

test("a mirror that lacks one blob is still asked for the others", async () => {
  await using mirror = await serve({ ...WHOLE, [BIG_PATH]: { status: 404 } });
  await using origin = await serve(WHOLE);
  await using source = await openMirrored(scratch, origin.host, [mirror]);
  await resolveImage(source, AMD64, NEVER);
  assert.equal(await read(source, BIG_LAYER), BIG);
  assert.equal(await read(source, OTHER_LAYER), OTHER);
  assert.deepEqual(asked(origin), [`blobs/${BIG_LAYER.digest}`]);
});

test("a mirror that lacks a blob is asked for it once, not for each of its parts", async () => {
  await using mirror = await serve({ ...WHOLE, [BIG_PATH]: { status: 404 } });
  await using origin = await serve(WHOLE);
  const log: string[] = [];
  await using source = await openMirrored(scratch, origin.host, [mirror], { log });
  await resolveImage(source, AMD64, NEVER);
  for (const start of [0, 2500, 5000, 7500]) {
    const range = { start, end: start + 2500 };
    assert.equal(await read(source, BIG_LAYER, range), BIG.slice(start, start + 2500));
  }
  assert.equal(asked(mirror).length, 2);
  assert.equal(log.filter((line) => line.startsWith("warn")).length, 1);
});

test("when no registry has the right blob, the error says what each of them did", async () => {
  const wrong = { [BIG_PATH]: { body: "x".repeat(BIG.length) } };
  await using mirror = await serve({ ...WHOLE, ...wrong });
  await using origin = await serve({});
  await using source = await openMirrored(scratch, origin.host, [mirror]);
  await resolveImage(source, AMD64, NEVER);
  await read(source, BIG_LAYER);
  const message = new RegExp(
    `^Blob ${BIG_LAYER.digest}: All 2 registries failed: ${mirror.host}/team/app: ` +
      `it sent bytes that do not match the digest; ${origin.host}/team/app: .*status 404`,
  );
  await assert.rejects(read(source, BIG_LAYER), isError("not_found", message));
});

test("a blob that was wrong is asked for at the next registry", async () => {
  const wrong = { [BIG_PATH]: { body: "x".repeat(BIG.length) } };
  await using mirror = await serve({ ...WHOLE, ...wrong });
  await using origin = await serve(WHOLE);
  await using source = await openMirrored(scratch, origin.host, [mirror]);
  await resolveImage(source, AMD64, NEVER);
  assert.notEqual(await read(source, BIG_LAYER), BIG);
  assert.equal(await read(source, BIG_LAYER), BIG);
  assert.equal(await read(source, BIG_LAYER), BIG);
  assert.equal(await read(source, OTHER_LAYER), OTHER);
  assert.deepEqual(asked(origin).length, 2);
});

test("when all registries fail, the error gives each one's reason", async () => {
  await using first = await serve({ [MANIFEST_PATH]: { status: 500 } });
  await using second = await serve({});
  await using origin = await serve({ [MANIFEST_PATH]: { status: 403 } });
  const settings = { transferRetries: 0 };
  await using source = await openMirrored(scratch, origin.host, [first, second], { settings });
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError(
      "credentials",
      new RegExp(
        `^The manifest of ${origin.host}#team/app:latest: All 3 registries failed: ` +
          `${first.host}/team/app: (?!The manifest).*status 500.*; ` +
          `${second.host}/team/app: (?!The manifest).*status 404.*; ` +
          `${origin.host}/team/app: (?!The manifest).*status 403`,
      ),
    ),
  );
});

test("an interruption does not count as a failure of a mirror", async () => {
  await using mirror = await serve({ [MANIFEST_PATH]: { ...manifestAnswer(), stallAfter: 3 } });
  await using origin = await serve(WHOLE);
  await using source = await openMirrored(scratch, origin.host, [mirror]);
  const signal = AbortSignal.timeout(100);
  await assert.rejects(resolveImage(source, AMD64, signal), isError("aborted", /./));
  assert.deepEqual(asked(origin), []);
});

test("a blocked registry is not asked, but its mirrors are", async () => {
  await using mirror = await serve(WHOLE);
  await using origin = await serve(WHOLE);
  const more = "blocked = true";
  await using good = await openMirrored(scratch, origin.host, [mirror], { more });
  await resolveImage(good, AMD64, NEVER);
  await using empty = await serve({});
  await using bad = await openMirrored(scratch, origin.host, [empty], { more });
  await assert.rejects(
    resolveImage(bad, AMD64, NEVER),
    isError("settings", /All 2 registries failed: .* status 404.*: it is blocked in .+, line 1$/),
  );
  await assert.rejects(
    openMirrored(scratch, origin.host, [], { more }),
    isError("settings", /is blocked by the configuration/),
  );
  assert.deepEqual(asked(origin), []);
});

test("pull-from-mirror selects mirrors for tags or for digests", async () => {
  await using mirror = await serve({
    ...WHOLE,
    [`/v2/team/app/manifests/${MANIFEST_DIGEST}`]: manifestAnswer(TWO_LAYERS),
  });
  await using origin = await serve(WHOLE);
  const only = [{ host: mirror.host, more: 'pull-from-mirror = "digest-only"' }];
  await using byTag = await openMirrored(scratch, origin.host, only);
  await resolveImage(byTag, AMD64, NEVER);
  assert.deepEqual([asked(mirror).length, asked(origin).length], [0, 1]);
  const reference = { digest: MANIFEST_DIGEST };
  await using byDigest = await openMirrored(scratch, origin.host, only, { reference });
  await resolveImage(byDigest, AMD64, NEVER);
  assert.deepEqual([asked(mirror).length, asked(origin).length], [1, 1]);
});

test("a location replaces the name for requests, and the reference stays as it is", async () => {
  await using elsewhere = await serve(
    { "/v2/moved/app/manifests/latest": manifestAnswer(TWO_LAYERS) },
  );
  const log: string[] = [];
  const location = `prefix = "gone.example/team"\nlocation = "${elsewhere.host}/moved"`;
  const environment = registriesConf(scratch, `[[registry]]\n${location}\n`);
  await using source = await open("gone.example", { log, settings: { environment } });
  await resolveImage(source, AMD64, NEVER);
  assert.equal(source.uri, "docker://gone.example#team/app:latest");
  assert.match(log.join("\n"), new RegExp(`\\(from ${elsewhere.host}/moved/app\\)$`));
});

function mirrorAndNext(line: string): (string | undefined)[] {
  const match = /^warn: (\S+?)\/.* going on with (\S+?)\//.exec(line);
  return [match?.[1], match?.[2]];
}
