/** Blobs on a bad line: resuming, ranges, and every way to send the wrong bytes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, startFakeRegistry } from "../../helpers/fake_registry.ts";
import { blobOf, blobRequest, isError, NEVER, open, read } from "./registry_fixture.ts";

const CONTENT = "0123456789";
const BLOB = blobOf(CONTENT);
const REQUEST = blobRequest(BLOB);
const ONCE = { settings: { transferRetries: 0 } };

function part(start: number, end: number): Answer {
  return {
    status: 206,
    headers: { "Content-Range": `bytes ${start}-${end - 1}/${CONTENT.length}` },
    body: CONTENT.slice(start, end),
  };
}

test("a blob is resumed where the connection was cut", async () => {
  await using registry = await startFakeRegistry([
    { request: REQUEST, sent: { range: null }, answer: { body: CONTENT, cutAfter: 3 } },
    { request: REQUEST, sent: { range: "bytes=3-9" }, answer: { ...part(3, 10), cutAfter: 2 } },
    { request: REQUEST, sent: { range: "bytes=5-9" }, answer: part(5, 10) },
  ]);
  await using source = await open(registry.host);
  assert.equal(await read(source, BLOB), CONTENT);
});

test("a 200 instead of the rest of a blob means that the blob begins anew", async () => {
  await using registry = await startFakeRegistry([
    { request: REQUEST, answer: { body: CONTENT, cutAfter: 3 } },
    { request: REQUEST, sent: { range: "bytes=3-9" }, answer: { body: CONTENT } },
  ]);
  await using source = await open(registry.host);
  assert.equal(await read(source, BLOB), CONTENT);
});

test("a server that ignores ranges is noticed", async () => {
  await using registry = await startFakeRegistry([
    { request: REQUEST, sent: { range: "bytes=2-4" }, answer: part(2, 5) },
    { request: REQUEST, sent: { range: "bytes=0-3" }, answer: { body: CONTENT } },
  ]);
  await using source = await open(registry.host);
  assert.equal(await read(source, BLOB, { start: 2, end: 5 }), "234");
  assert.equal(await read(source, BLOB, { start: 0, end: 4 }), "0123");
  // Nothing is asked for now: the server is known to ignore ranges.
  await assert.rejects(
    read(source, BLOB, { start: 4, end: 10 }),
    isError("range_unsupported", /cannot send a part of blob/),
  );
});

test("a 200 for a range that does not begin at 0 is code range_unsupported", async () => {
  await using registry = await startFakeRegistry([
    { request: REQUEST, sent: { range: "bytes=4-9" }, answer: { body: CONTENT } },
  ]);
  await using source = await open(registry.host);
  await assert.rejects(
    read(source, BLOB, { start: 4, end: 10 }),
    isError("range_unsupported", /cannot send a part of blob/),
  );
});

test("a 206 with fewer bytes than asked for is used, and the rest is asked for", async () => {
  await using registry = await startFakeRegistry([
    { request: REQUEST, sent: { range: "bytes=1-9" }, answer: part(1, 4) },
    { request: REQUEST, sent: { range: "bytes=4-9" }, answer: part(4, 10) },
  ]);
  await using source = await open(registry.host, ONCE);
  assert.equal(await read(source, BLOB, { start: 1, end: 10 }), CONTENT.slice(1));
});

for (
  const [title, header] of [
    ["begins elsewhere", "bytes 3-9/10"],
    ["ends beyond it", "bytes 2-10/11"],
    ["is of a blob of another size", "bytes 2-9/11"],
    ["is missing", ""],
    ["cannot be read", "bytes two-nine/ten"],
  ] as const
) {
  test(`a 206 whose Content-Range ${title} is refused`, async () => {
    const headers = header === "" ? {} : { "Content-Range": header };
    await using registry = await startFakeRegistry(() => ({
      status: 206,
      headers: headers as Record<string, string>,
      body: CONTENT.slice(2),
    }));
    await using source = await open(registry.host, ONCE);
    await assert.rejects(
      read(source, BLOB, { start: 2, end: 10 }),
      isError("network", /answered a request for bytes 2-9 .* with the range /),
    );
  });
}

const FAULTS: readonly (readonly [title: string, answer: Answer, message: RegExp])[] = [
  ["a wrong Content-Length", { body: "01234" }, /announced 5 bytes instead of 10/],
  [
    "a short body without Content-Length",
    { body: "01234", announced: null },
    /ended after 5 of 10 bytes/,
  ],
  [
    "a surplus body without Content-Length",
    { body: "0123456789abc", announced: null },
    /sent more bytes than the 10/,
  ],
  [
    "a connection cut in mid-body",
    { body: CONTENT, cutAfter: 5 },
    /cut the connection in mid-transfer|connection .* was cut/,
  ],
  ["a connection cut before the answer", { hangUp: true }, /connection .* was cut/],
  ["a stalled body", { body: CONTENT, stallAfter: 5 }, /sent nothing for 0\.15 seconds/],
  ["a stalled answer", { body: CONTENT, delayMs: 400 }, /sent nothing for 0\.15 seconds/],
  ["a server error", { status: 503, body: "down" }, /the server is unavailable, status 503.*down/],
];

for (const [title, answer, message] of FAULTS) {
  test(`${title} has an error of its own, and is retried`, async () => {
    const limits = title.startsWith("a stalled") ? { stallTimeoutMs: 150 } : {};
    await using failing = await startFakeRegistry(() => answer);
    await using source = await open(failing.host, {
      settings: { transferRetries: 1 },
      limits,
    });
    await assert.rejects(read(source, BLOB), (error: Error & { code: string }) => {
      assert.match(error.message, message);
      return error.code === (title === "a server error" ? "registry" : "network");
    });

    let count = 0;
    await using recovering = await startFakeRegistry((request) => {
      if (count++ === 0) return answer;
      const start = Number(/bytes=(\d+)/.exec(request.headers["range"] ?? "")?.[1] ?? 0);
      return start === 0 ? { body: CONTENT } : part(start, 10);
    });
    const log: string[] = [];
    await using again = await open(recovering.host, {
      settings: { transferRetries: 1 },
      limits,
      log,
    });
    assert.equal(await read(again, BLOB), CONTENT);
    assert.match(log.join("\n"), /^warn: .*; trying again in \d+\.\d seconds \(1 of 1\)/);
  });
}

test("a Content-Length may be missing when the bytes are right", async () => {
  await using registry = await startFakeRegistry(() => ({ body: CONTENT, announced: null }));
  await using source = await open(registry.host, ONCE);
  assert.equal(await read(source, BLOB), CONTENT);
});

test("without retries in the settings nothing is tried twice", async () => {
  await using registry = await startFakeRegistry([
    { request: REQUEST, answer: { body: CONTENT, cutAfter: 5 } },
  ]);
  await using source = await open(registry.host, ONCE);
  await assert.rejects(read(source, BLOB), isError("network", /cut/));
});

test("an attempt that brought much does not count against the retries", async () => {
  const size = 1000;
  const big = blobOf(new Uint8Array(size));
  await using registry = await startFakeRegistry((request) => {
    const start = Number(/bytes=(\d+)/.exec(request.headers["range"] ?? "")?.[1] ?? 0);
    const headers = { "Content-Range": `bytes ${start}-${size - 1}/${size}` };
    const body = new Uint8Array(size - start);
    return start === 0 ? { body, cutAfter: 200 } : { status: 206, headers, body, cutAfter: 200 };
  });
  const options = { settings: { transferRetries: 1 }, limits: { progressBytes: 100 } };
  await using source = await open(registry.host, options);
  assert.equal((await read(source, big)).length, size);
});

test("a Content-Encoding on a blob does not change its bytes", async () => {
  const bytes = new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3, 255]);
  const blob = blobOf(bytes);
  await using registry = await startFakeRegistry([{
    request: blobRequest(blob),
    sent: { "accept-encoding": "identity" },
    answer: { headers: { "Content-Encoding": "gzip" }, body: bytes },
  }]);
  await using source = await open(registry.host);
  const chunks: number[] = [];
  for await (const chunk of source.blob(blob, undefined, NEVER)) chunks.push(...chunk);
  assert.deepEqual(chunks, [...bytes]);
});

test("an empty blob needs no request", async () => {
  await using registry = await startFakeRegistry([]);
  await using source = await open(registry.host);
  assert.equal(await read(source, blobOf("")), "");
});

test("a layer by sha512 is asked for by that digest", async () => {
  const digest = `sha512:${"ab".repeat(64)}`;
  await using registry = await startFakeRegistry([
    { request: `GET /v2/team/app/blobs/${digest}`, answer: { body: "x" } },
  ]);
  await using source = await open(registry.host);
  assert.equal(await read(source, { mediaType: "", digest, size: 1 }), "x");
});

test("a foreign layer is fetched from its urls when the registry lacks it", async () => {
  await using elsewhere = await startFakeRegistry([
    { request: "GET /gone", answer: { status: 404 } },
    { request: "GET /layer", sent: { authorization: null }, answer: { body: CONTENT } },
  ]);
  await using registry = await startFakeRegistry([{ request: REQUEST, answer: { status: 404 } }]);
  await using source = await open(registry.host, ONCE);
  const urls = ["file:///etc/passwd", `${elsewhere.origin}/gone`, `${elsewhere.origin}/layer`];
  assert.equal(await read(source, { ...BLOB, urls }), CONTENT);
});

test("a blob that is nowhere is not found", async () => {
  await using registry = await startFakeRegistry([{
    request: REQUEST,
    answer: { status: 404, body: '{"errors":[{"code":"BLOB_UNKNOWN","message":"no\\u001b[31m"}]}' },
  }]);
  await using source = await open(registry.host);
  await assert.rejects(
    read(source, BLOB),
    isError(
      "not_found",
      /^Blob sha256:.* not found, status 404 .*: BLOB_UNKNOWN no\\u\{1b\}\[31m$/,
    ),
  );
});
