/** Answers that are not a registry's, and answers that came compressed. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { DenrootError } from "../../../lib/errors.ts";
import { resolveImage } from "../../../lib/image/resolve_image.ts";
import { OCI_MANIFEST } from "../../../lib/oci/media_types.ts";
import { type Answer, type FakeRegistry, startFakeRegistry } from "../../helpers/fake_registry.ts";
import { BEARER, challenge } from "./auth/authentication_fixture.ts";
import {
  AMD64,
  isError,
  LAYER,
  MANIFEST,
  MANIFEST_DIGEST,
  NEVER,
  open,
  read,
} from "./registry_fixture.ts";

const TYPE = { "Content-Type": "text/html; charset=utf-8" };
const PAGE = "<!DOCTYPE html>\n<html><head><title>\n Log in \u001b[31m\n</title></head>" +
  "<body><form>password</form></body></html>";

/** [what answers, the answer, what the message calls it] */
const PAGES: readonly (readonly [what: string, answer: Answer, called: RegExp])[] = [
  [
    "a login page",
    { body: PAGE, headers: TYPE },
    /a web page \(text\/html\), "Log in \\u\{1b\}\[31m"/,
  ],
  ["a page without a type", { body: PAGE }, /a web page, "Log in/],
  ["a page behind a comment", { body: `<!-- x -->${PAGE}` }, /a web page, "Log in/],
  [
    "a page without a title",
    { body: "<html>Log in</html>", headers: TYPE },
    /a web page \(text\/html\)$/,
  ],
  [
    "a text that is called a page",
    { body: "it is blocked", headers: TYPE },
    /a web page \(text\/html\)$/,
  ],
  [
    "a page in place of an error",
    { status: 403, body: PAGE, headers: TYPE },
    /: a web page \(text\/html\), "Log/,
  ],
  [
    "a page for what is missing",
    { status: 404, body: PAGE, headers: TYPE },
    /: a web page \(text\/html\), "Log/,
  ],
];

for (const [what, answer, called] of PAGES) {
  test(`${what} is named as one, with its host, for manifests, tags, tokens and blobs`, async () => {
    await using registry = await startFakeRegistry(() => answer);
    await using guarded = await startFakeRegistry(({ line }) =>
      line.startsWith("GET /token") ? answer : challenge(BEARER)
    );
    const settings = { transferRetries: 0 };
    const manifestOf = async ({ host }: FakeRegistry) => {
      await using source = await open(host, { settings });
      await resolveImage(source, AMD64, NEVER);
    };
    await using source = await open(registry.host, { settings });
    const isPage = (error: unknown) => {
      assert.ok(error instanceof DenrootError);
      assert.match(error.message, called);
      assert.match(error.message, /127\.0\.0\.1:\d+(?:\/\S*\))? ?(?:answered|:)|:\d+\/.*\): a web/);
      assert.doesNotMatch(error.message, /<|form|\n/);
      assert.match(error.hint ?? "", /proxy, a VPN or a login page/);
      return true;
    };
    await assert.rejects(manifestOf(registry), isPage);
    await assert.rejects(source.tags(NEVER), isPage);
    await assert.rejects(manifestOf(guarded), isPage);
    // A blob may be any text: only its type and its length show that it is another one.
    if (answer.headers !== undefined) await assert.rejects(read(source, LAYER), isPage);
  });
}

test("a blob that is an HTML page of the right length is taken", async () => {
  await using registry = await startFakeRegistry(() => ({ body: "a layer", headers: TYPE }));
  await using source = await open(registry.host);
  assert.equal(await read(source, LAYER), "a layer");
});

test("an empty answer and one of another type are not a registry's", async () => {
  for (
    const [answer, message] of [
      [{ body: "" }, /answered with nothing$/],
      [
        { body: "OK", headers: { "Content-Type": "text/plain" } },
        /with "text\/plain", which is no JSON object$/,
      ],
    ] as const
  ) {
    await using registry = await startFakeRegistry(() => answer);
    await using source = await open(registry.host);
    await assert.rejects(resolveImage(source, AMD64, NEVER), isError("registry", message));
  }
});

function encoded(encoding: string, body: string | Uint8Array): Answer {
  return { headers: { "Content-Type": OCI_MANIFEST, "Content-Encoding": encoding }, body };
}

/** [what comes, the answer] */
const READABLE = [
  ["gzip", encoded("gzip", gzipSync(MANIFEST))],
  ["X-GZIP in capitals", encoded("X-GZIP", gzipSync(MANIFEST))],
  ["a gzip that is none", encoded("gzip", MANIFEST)],
  ["identity", encoded("identity", MANIFEST)],
] as const;

for (const [what, answer] of READABLE) {
  test(`a manifest with the Content-Encoding of ${what} is read`, async () => {
    await using registry = await startFakeRegistry(() => answer);
    await using source = await open(registry.host);
    assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
    await using named = await open(registry.host, { reference: { digest: MANIFEST_DIGEST } });
    assert.equal((await resolveImage(named, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  });
}

/** [what comes, the answer, the code, the message] */
const UNREADABLE = [
  ["brotli", encoded("br", brotliCompressSync(MANIFEST)), "registry", /the Content-Encoding "br"/],
  ["two", encoded("gzip, gzip", gzipSync(gzipSync(MANIFEST))), "registry", /"gzip, gzip"/],
  ["a damaged gzip", encoded("gzip", gzipSync(MANIFEST).subarray(0, 40)), "registry", /"gzip"/],
  ["a bomb", encoded("gzip", gzipSync(Buffer.alloc(64 << 20, " "))), "limit", /than 8 MiB$/],
] as const;

for (const [what, answer, code, message] of UNREADABLE) {
  test(`a manifest with the Content-Encoding of ${what} is refused by its name`, async () => {
    await using registry = await startFakeRegistry(() => answer);
    await using source = await open(registry.host);
    await assert.rejects(resolveImage(source, AMD64, NEVER), isError(code, message));
  });
}

test("a blob that a proxy compressed is refused, and the message names the encoding", async () => {
  const body = gzipSync("a layer");
  for (const announced of [undefined, null] as const) {
    const answer = { headers: { "Content-Encoding": "gzip" }, body, announced };
    await using registry = await startFakeRegistry(() => answer);
    await using source = await open(registry.host, { settings: { transferRetries: 0 } });
    await assert.rejects(read(source, LAYER), isError("network", /the Content-Encoding "gzip"/));
  }
});

test("the hint for a missing tag names the command that lists the tags", async () => {
  const hintFor = async (code: string, tag: string) => {
    const body = JSON.stringify({ errors: [{ code, message: "x" }] });
    await using registry = await startFakeRegistry(() => ({ status: 404, body }));
    await using source = await open(registry.host, { reference: { tag } });
    const error = await resolveImage(source, AMD64, NEVER).catch((error: DenrootError) => error);
    assert.ok(error instanceof DenrootError);
    return (error.hint ?? "").replaceAll(registry.host, "HOST");
  };
  const tags = /denroot tags docker:\/\/HOST#team\/app lists the tags/;
  assert.match(await hintFor("MANIFEST_UNKNOWN", "1.0"), tags);
  assert.match(
    await hintFor("NAME_UNKNOWN", "1.0"),
    /^Check the names of registry, image and tag;/,
  );
});
