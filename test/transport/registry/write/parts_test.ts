/** Registries and proxies that take no large requests: blobs go in parts there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Answer,
  type ReceivedRequest,
  type Respond,
  startFakeRegistry,
} from "../../../helpers/fake_registry.ts";
import { blobOf, isError, NEVER } from "../registry_fixture.ts";
import { bytesOf, openTo, UPLOADS } from "./write_fixture.ts";

const TEXT = "0123456789".repeat(3);
const BLOB = blobOf(TEXT);
const PARTS = { limits: { partBytes: [16, 8, 4] } };

/** Answers all uploads; `refuse` may refuse the PATCH of so many bytes. */
function takingParts(
  refuse: (bytes: number, request: ReceivedRequest) => Answer | undefined,
  opened: Answer = {},
): { readonly respond: Respond; readonly patches: string[]; readonly taken: string[] } {
  const patches: string[] = [];
  const taken: string[] = [];
  const respond: Respond = (request) => {
    const { line, headers, body } = request;
    if (line.startsWith("HEAD")) return { status: 404 };
    if (line.startsWith("DELETE")) return { status: 204 };
    if (line.startsWith("PUT")) return { status: 201 };
    if (line.startsWith("POST")) {
      taken.length = 0;
      return {
        status: 202,
        headers: { Location: `${UPLOADS}0`, ...opened.headers },
      };
    }
    const range = headers["content-range"];
    patches.push(range ?? `whole ${body.length}`);
    const refusal = refuse(body.length, request);
    if (refusal !== undefined) return refusal;
    taken.push(body);
    return { status: 202, headers: { Location: `${UPLOADS}${taken.length}`, Range: "0-3" } };
  };
  return { respond, patches, taken };
}

const TOO_LARGE = { status: 413, body: "<html><title>413 Request Entity Too Large</title>" };

test("a blob that is too large for one request goes in parts, and so does the next one", async () => {
  const { respond, patches, taken } = takingParts((bytes) => bytes > 8 ? TOO_LARGE : undefined);
  await using registry = await startFakeRegistry(respond);
  await using destination = await openTo(registry.host, PARTS);
  await destination.putBlob(BLOB, bytesOf(TEXT, { chunkBytes: 7 }), NEVER);
  assert.deepEqual(taken, ["01234567", "89012345", "67890123", "456789"]);
  assert.deepEqual(patches, ["whole 30", "0-15", "0-7", "8-15", "16-23", "24-29"]);
  patches.length = 0;
  await destination.putBlob(BLOB, bytesOf(TEXT), NEVER);
  assert.deepEqual(patches, ["0-7", "8-15", "16-23", "24-29"]);
  patches.length = 0;
  await destination.putBlob(blobOf("small"), bytesOf("small"), NEVER);
  assert.deepEqual(patches, ["whole 5"]);
});

test("parts are not smaller than the registry wants them", async () => {
  const { respond, patches } = takingParts(
    (bytes) => bytes > 12 ? TOO_LARGE : undefined,
    { headers: { "OCI-Chunk-Min-Length": "10" } },
  );
  await using registry = await startFakeRegistry(respond);
  await using destination = await openTo(registry.host, PARTS);
  await destination.putBlob(BLOB, bytesOf(TEXT), NEVER);
  assert.deepEqual(patches, ["whole 30", "0-15", "0-9", "10-19", "20-29"]);
});

test("GitHub's status for a part that is too large is understood", async () => {
  const { respond, taken } = takingParts((bytes, { headers }) => {
    if (headers["content-range"] === undefined) return TOO_LARGE;
    return bytes > 4 ? { status: 416, body: "the request body is too large" } : undefined;
  });
  await using registry = await startFakeRegistry(respond);
  await using destination = await openTo(registry.host, PARTS);
  await destination.putBlob(BLOB, bytesOf(TEXT), NEVER);
  assert.equal(taken.join(""), TEXT);
  assert.equal(taken[0], "0123");
});

test("Amazon's answer to a part has another status, and a Range that does not move", async () => {
  const { respond, taken } = takingParts((bytes) => bytes > 8 ? TOO_LARGE : undefined);
  await using registry = await startFakeRegistry(async (request) => {
    const answer = await respond(request);
    return request.line.startsWith("PATCH") && answer.status === 202
      ? { ...answer, status: 201 }
      : answer;
  });
  await using destination = await openTo(registry.host, PARTS);
  await destination.putBlob(BLOB, bytesOf(TEXT), NEVER);
  assert.equal(taken.join(""), TEXT);
});

for (
  const [title, minimum] of [["the smallest parts", undefined], ["what it wants", "40"]] as const
) {
  test(`a registry that does not take ${title} gives a clear error`, async () => {
    const headers = minimum === undefined ? {} : { "OCI-Chunk-Min-Length": minimum };
    const { respond } = takingParts(() => TOO_LARGE, { headers });
    await using registry = await startFakeRegistry(respond);
    await using destination = await openTo(registry.host, PARTS);
    await assert.rejects(
      destination.putBlob(BLOB, bytesOf(TEXT), NEVER),
      (error) =>
        isError("registry", /answered 413.*Request Entity Too Large/)(error) &&
        /limits the size/.test((error as { hint?: string }).hint ?? ""),
    );
  });
}
