/** From a tag to one platform's manifest, and what registries may answer instead. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { digestOf } from "../../../lib/oci/digest.ts";
import { DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "../../../lib/oci/media_types.ts";
import { connectionError } from "../../../lib/http/transfer_error.ts";
import { type Answer, startFakeRegistry } from "../../helpers/fake_registry.ts";
import {
  AMD64,
  blobOf,
  indexText,
  isError,
  LAYER,
  MANIFEST,
  MANIFEST_DIGEST,
  MANIFEST_REQUEST,
  manifestAnswer,
  manifestText,
  NEVER,
  open,
  read,
} from "./registry_fixture.ts";
import { contentOf, resolveImage } from "../../../lib/image/resolve_image.ts";

const OTHER = manifestText({ annotations: { other: "yes" } });
const ONCE = { settings: { transferRetries: 0 } };

function requestFor(text: string): string {
  return `GET /v2/team/app/manifests/${digestOf(Buffer.from(text))}`;
}

test("an index leads to the platform's manifest, whose digest is the result", async () => {
  const index = indexText([[OTHER, { os: "linux", architecture: "s390x" }], [MANIFEST, AMD64]]);
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: manifestAnswer(index, OCI_INDEX) },
    { request: requestFor(MANIFEST), answer: manifestAnswer() },
  ]);
  await using source = await open(registry.host);
  const { digest, manifest } = await resolveImage(source, AMD64, NEVER);
  assert.equal(digest, MANIFEST_DIGEST);
  assert.equal(manifest.layers.length, 1);
});

test("a manifest of another size than the index says is refused", async () => {
  const index = indexText([[MANIFEST, AMD64]]).replace(/"size":\d+/, '"size":5');
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: manifestAnswer(index, OCI_INDEX) },
    { request: requestFor(MANIFEST), answer: manifestAnswer() },
  ]);
  await using source = await open(registry.host);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("manifest", /has \d+ bytes, but the index that names it says 5$/),
  );
});

test("a Docker manifest without a digest header is hashed (ECR, Red Hat)", async () => {
  const text = manifestText({ mediaType: DOCKER_MANIFEST });
  await using registry = await startFakeRegistry(() => manifestAnswer(text, DOCKER_MANIFEST));
  await using source = await open(registry.host);
  const { digest, manifest } = await resolveImage(source, AMD64, NEVER);
  assert.equal(digest, digestOf(Buffer.from(text)));
  assert.equal(manifest.mediaType, DOCKER_MANIFEST);
});

test("a registry may refuse HEAD: manifests are fetched with GET", async () => {
  await using registry = await startFakeRegistry(({ line }) =>
    line.startsWith("HEAD ") ? { status: 405 } : manifestAnswer()
  );
  await using source = await open(registry.host, ONCE);
  assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
});

test("a digest in the reference wins over the tag and is verified", async () => {
  await using registry = await startFakeRegistry([
    { request: requestFor(MANIFEST), answer: manifestAnswer() },
    { request: requestFor(MANIFEST), answer: manifestAnswer(OTHER) },
  ]);
  await using source = await open(registry.host, { reference: { digest: MANIFEST_DIGEST } });
  assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("digest", /The manifest of .* has the digest sha256:.* instead of sha256:/),
  );
});

test("a manifest that does not match its digest header is refused", async () => {
  await using registry = await startFakeRegistry(() => ({
    headers: { "Docker-Content-Digest": digestOf(Buffer.from("other")) },
    body: MANIFEST,
  }));
  await using source = await open(registry.host);
  await assert.rejects(resolveImage(source, AMD64, NEVER), isError("digest", /instead of/));
});

test("a manifest that does not match its digest in the index is refused", async () => {
  const index = indexText([[MANIFEST, AMD64]]);
  await using registry = await startFakeRegistry([
    { request: MANIFEST_REQUEST, answer: manifestAnswer(index, OCI_INDEX) },
    { request: requestFor(MANIFEST), answer: manifestAnswer(OTHER) },
  ]);
  await using source = await open(registry.host);
  await assert.rejects(resolveImage(source, AMD64, NEVER), isError("digest", /instead of/));
});

test("an index inside an index is followed, to a bounded depth", async () => {
  let [text, depth] = [MANIFEST, 0];
  const answers = new Map<string, Answer>([[requestFor(MANIFEST), manifestAnswer()]]);
  const nest = () => {
    text = indexText([[text, AMD64, depth++ === 0 ? OCI_MANIFEST : OCI_INDEX]]);
    answers.set(requestFor(text), manifestAnswer(text, OCI_INDEX));
  };
  await using registry = await startFakeRegistry(({ line }) => answers.get(line)!);
  for (let i = 0; i < 4; i++) nest();
  const four = digestOf(Buffer.from(text));
  await using source = await open(registry.host, { reference: { digest: four } });
  assert.equal((await resolveImage(source, AMD64, NEVER)).digest, MANIFEST_DIGEST);
  nest();
  const five = digestOf(Buffer.from(text));
  await using deeper = await open(registry.host, { reference: { digest: five } });
  await assert.rejects(
    resolveImage(deeper, AMD64, NEVER),
    isError("limit", /more than 4 indexes, one inside the other$/),
  );
});

for (const announced of [undefined, null] as const) {
  const how = announced === null ? "as it comes" : "before it comes";
  test(`a manifest of 100 MB is refused ${how}`, async () => {
    const body = new Uint8Array(100 * 1024 * 1024);
    await using registry = await startFakeRegistry(() => ({ body, announced }));
    await using source = await open(registry.host);
    await assert.rejects(resolveImage(source, AMD64, NEVER), isError("limit", /larger than 8 MiB/));
    assert.ok(registry.bytesWritten < 40 * 1024 * 1024, `${registry.bytesWritten} were sent`);
  });
}

test("Docker schema 1 is refused by its name, signed or not", async () => {
  const text = JSON.stringify({ schemaVersion: 1, name: "x", fsLayers: [], history: [] });
  const type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
  await using registry = await startFakeRegistry(() => ({
    headers: {
      "Content-Type": type,
      // The digest of the signed part.
      "Docker-Content-Digest": digestOf(Buffer.from("payload")),
    },
    body: text,
  }));
  await using source = await open(registry.host);
  await assert.rejects(resolveImage(source, AMD64, NEVER), isError("unsupported", /schema 1/));
});

test("a Helm chart is resolved like any manifest, and refused by name where an image is needed", async () => {
  const config = { ...blobOf("{}"), mediaType: "application/vnd.cncf.helm.config.v1+json" };
  await using registry = await startFakeRegistry(() => manifestAnswer(manifestText({ config })));
  await using source = await open(registry.host);
  const chart = await resolveImage(source, AMD64, NEVER);
  await assert.rejects(
    contentOf(source, chart, NEVER),
    isError("unsupported", /The reference names a Helm chart, not a container image/),
  );
});

test("an image or tag that does not exist is code not_found, with the registry's words", async () => {
  const body = '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}';
  await using registry = await startFakeRegistry(() => ({ status: 404, body }));
  await using source = await open(registry.host);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("not_found", /team\/app:latest: not found.*MANIFEST_UNKNOWN manifest unknown/),
  );
});

test("the hint for a missing part of an image does not blame its name", async () => {
  const index = indexText([[MANIFEST, AMD64]]);
  const body = '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}';
  await using registry = await startFakeRegistry(({ line }) =>
    line.includes("latest") ? manifestAnswer(index, OCI_INDEX) : { status: 404, body }
  );
  await using source = await open(registry.host);
  const hints = await Promise.all([
    resolveImage(source, AMD64, NEVER),
    read(source, LAYER),
  ].map((work) => (work as Promise<unknown>).then(String, ({ hint }) => String(hint))));
  for (const hint of hints) {
    assert.match(hint, /not all of the image: its owner has to push it again/);
  }
});

for (
  const [title, retryAfter] of [
    ["in seconds", "1"],
    ["as a date", new Date(Date.now() + 1000).toUTCString()],
    ["that asks for a year, which is capped", "31536000"],
  ] as const
) {
  test(`a 429 with Retry-After ${title} makes denroot wait`, async () => {
    await using registry = await startFakeRegistry([
      {
        request: MANIFEST_REQUEST,
        answer: { status: 429, headers: { "Retry-After": retryAfter } },
      },
      { request: MANIFEST_REQUEST, answer: manifestAnswer() },
    ]);
    const log: string[] = [];
    await using source = await open(registry.host, { log });
    await resolveImage(source, AMD64, NEVER);
    assert.match(log[0] ?? "", /it asks to wait \d+ seconds; trying again in 0\.0 seconds/);
  });
}

test("the error for a rate limit says so, and what is left of the quota", async () => {
  await using registry = await startFakeRegistry(() => ({
    status: 429,
    headers: { "RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "0;w=21600" },
    body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull limit"}]}',
  }));
  await using source = await open(registry.host, ONCE);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError(
      "rate_limit",
      /too many requests: TOOMANYREQUESTS You have .*; limit 100 in 6 hours; left 0 in 6 hours$/,
    ),
  );
});

test("toomanyrequests in a body means a rate limit, whatever the status is", async () => {
  await using registry = await startFakeRegistry([
    {
      request: MANIFEST_REQUEST,
      answer: { status: 403, body: "toomanyrequests: Data limit exceeded" },
    },
    { request: MANIFEST_REQUEST, answer: manifestAnswer() },
  ]);
  const log: string[] = [];
  await using source = await open(registry.host, { log });
  await resolveImage(source, AMD64, NEVER);
  assert.match(log[0] ?? "", /got too many requests: "toomanyrequests: Data limit exceeded"/);
});

test("a server's failures are retried as often as the settings allow, and no more", async () => {
  await using registry = await startFakeRegistry(() => ({ status: 502, body: "<html>bad</html>" }));
  await using source = await open(registry.host);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("registry", /the server's backend failed, status 502/),
  );
  assert.equal(registry.requests.length, 3);
});

test("the error for a host that does not exist names it", () => {
  const cause = Object.assign(new Error("getaddrinfo ENOTFOUND nowhere"), { code: "ENOTFOUND" });
  const error = connectionError(cause, new URL("https://nowhere/v2/"));
  assert.equal(error.message, "The connection to nowhere failed: the host name is unknown");
});

test("a port where nothing listens is a refused connection", async () => {
  const registry = await startFakeRegistry([]);
  const { host } = registry;
  await registry[Symbol.asyncDispose]();
  await using source = await open(host, ONCE);
  await assert.rejects(resolveImage(source, AMD64, NEVER), isError("network", /it was refused/));
});

test("where HTTP is allowed, a server that asks for HTTPS gets an HTTPS request", async () => {
  await using registry = await startFakeRegistry(() => ({
    status: 400,
    body: "Client sent an HTTP request to an HTTPS server.\n",
  }));
  await using source = await open(registry.host, ONCE);
  // The fake server does not speak TLS: the attempt is enough.
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("network", /does not speak HTTPS/),
  );
});
