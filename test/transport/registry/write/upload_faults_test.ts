/** An upload that is cut at each of its stages ends well, or fails without a tag. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DenrootError } from "../../../../lib/errors.ts";
import {
  type Fault,
  type Moment,
  startUploadRegistry,
  type UploadRegistry,
} from "../../../helpers/upload_registry.ts";
import { until } from "../../../http/http_fixture.ts";
import { blobOf, isError, NEVER } from "../registry_fixture.ts";
import { bytesOf, imageOf, KEEP, noise, openTo, putImage } from "./write_fixture.ts";

const STAGES: readonly (readonly [moment: Moment, method: string, path: RegExp])[] = [
  ["before", "HEAD", /^blobs\/sha/],
  ["before", "POST", /uploads/],
  ["before", "PATCH", /uploads/],
  ["middle", "PATCH", /uploads/],
  ["after", "PATCH", /uploads/],
  ["before", "PUT", /uploads/],
  ["after", "PUT", /uploads/],
  ["before", "PUT", /^manifests\/sha/],
  ["after", "PUT", /^manifests\/sha/],
  ["before", "HEAD", /^manifests\/latest/],
  ["before", "PUT", /^manifests\/latest/],
  ["after", "PUT", /^manifests\/latest/],
];
const SERVER_FAILED = { status: 503, body: "busy" };
const IMAGE = imageOf(noise(300_000), noise(200_000, 2));

/** Strikes `times` at this stage. */
function strikes(
  [moment, method, path]: (typeof STAGES)[number],
  fault: Fault,
  times = 1,
): (moment: Moment, method: string, path: string) => Fault {
  let left = times;
  return (...now) => {
    if (now[0] !== moment || now[1] !== method || !path.test(now[2]) || left === 0) {
      return undefined;
    }
    left--;
    return fault;
  };
}

async function copyTo(registry: UploadRegistry, transferRetries: number): Promise<void> {
  await using destination = await openTo(registry.host, { settings: { transferRetries } });
  await putImage(destination, IMAGE);
  await destination.commit(IMAGE.document, KEEP, NEVER);
}

for (const cuts of ["kept", "lost"] as const) {
  for (const stage of STAGES) {
    const [moment, method, path] = stage;
    const { source } = path;
    for (const [name, fault] of [["a cut", "cut"], ["a failure", SERVER_FAILED]] as const) {
      if (fault !== "cut" && moment === "middle") continue;
      test(`${name} ${moment} ${method} ${source} does no harm where a cut upload is ${cuts}`, async () => {
        await using registry = await startUploadRegistry({ cuts, fault: strikes(stage, fault) });
        await copyTo(registry, 2);
        assert.equal(registry.tags.get("latest"), IMAGE.document.digest);
        for (const blob of IMAGE.blobs) {
          assert.deepEqual(registry.blobs.get(blobOf(blob).digest), Buffer.from(blob));
        }
      });

      test(`${name} ${moment} ${method} ${source} without retries leaves no wrong tag (${cuts})`, async () => {
        await using registry = await startUploadRegistry({ cuts, fault: strikes(stage, fault) });
        // A HEAD on a kept connection is sent once more in any case.
        const error = await copyTo(registry, 0).catch((error) => error);
        assert.ok(error === undefined || error instanceof DenrootError);
        const digest = registry.tags.get("latest");
        const isWritten = error === undefined ||
          moment === "after" && path.test("manifests/latest");
        assert.equal(digest, isWritten ? IMAGE.document.digest : undefined);
      });
    }
  }
}

const BLOB = noise(400_000);
const MIDDLE = STAGES.find(([moment]) => moment === "middle")!;

test("a cut upload goes on at the byte that the registry kept", async () => {
  await using registry = await startUploadRegistry({ fault: strikes(MIDDLE, "cut") });
  await using destination = await openTo(registry.host);
  const opened: number[] = [];
  await destination.putBlob(blobOf(BLOB), bytesOf(BLOB, { opened }), NEVER);
  assert.deepEqual(registry.blobs.get(blobOf(BLOB).digest), BLOB);
  assert.equal(registry.log.filter((line) => line.startsWith("POST")).length, 1);
  assert.match(
    registry.log.join("\n"),
    /\nGET blobs\/uploads\/\nPATCH blobs\/uploads\/ [1-9]\d+-399999\n/,
  );
  // The bytes before are read again, because all of them have to be verified.
  assert.deepEqual(opened, [0, 0]);
});

test("where a cut upload is lost the blob begins anew, after a look whether it is there", async () => {
  await using registry = await startUploadRegistry({
    cuts: "lost",
    fault: strikes(MIDDLE, "cut"),
  });
  await using destination = await openTo(registry.host);
  await destination.putBlob(blobOf(BLOB), bytesOf(BLOB), NEVER);
  const { digest } = blobOf(BLOB);
  assert.deepEqual(registry.log, [
    "POST blobs/uploads/",
    "PATCH blobs/uploads/",
    `HEAD blobs/${digest}`,
    "GET blobs/uploads/",
    "DELETE blobs/uploads/",
    "POST blobs/uploads/",
    "PATCH blobs/uploads/",
    "PUT blobs/uploads/",
  ]);
});

test("a blob that another client has finished meanwhile is not sent again", async () => {
  const { digest } = blobOf(BLOB);
  await using registry = await startUploadRegistry({
    fault(moment, method) {
      if (moment !== "middle" || method !== "PATCH") return undefined;
      registry.blobs.set(digest, BLOB);
      return "cut";
    },
  });
  await using destination = await openTo(registry.host);
  await destination.putBlob(blobOf(BLOB), bytesOf(BLOB), NEVER);
  assert.equal(registry.log.filter((line) => line.startsWith("PATCH")).length, 1);
});

test("a registry that got other bytes than it was sent gets the blob anew, without resuming", async () => {
  let isFirst = true;
  await using registry = await startUploadRegistry({
    fault(moment, method) {
      if (moment !== "before" || method !== "PUT" || !isFirst) return undefined;
      isFirst = false;
      return { status: 400, body: '{"errors":[{"code":"DIGEST_INVALID"}]}' };
    },
  });
  await using destination = await openTo(registry.host);
  await destination.putBlob(blobOf(BLOB), bytesOf(BLOB), NEVER);
  assert.deepEqual(registry.blobs.get(blobOf(BLOB).digest), BLOB);
  assert.ok(!registry.log.some((line) => line.startsWith("GET")));
  assert.equal(registry.log.filter((line) => line.startsWith("PATCH")).length, 2);
});

test("a registry that takes blobs in one piece only gets the whole again after a cut", async () => {
  let cut = strikes(MIDDLE, "cut");
  await using registry = await startUploadRegistry({
    fault(moment, method, path) {
      const isPart = registry.log.at(-1)!.includes("-399999");
      return isPart && moment === "before"
        ? { status: 400, body: "no chunks here" }
        : cut(moment, method, path);
    },
  });
  cut = strikes(MIDDLE, "cut");
  await using destination = await openTo(registry.host);
  await destination.putBlob(blobOf(BLOB), bytesOf(BLOB), NEVER);
  assert.deepEqual(registry.blobs.get(blobOf(BLOB).digest), BLOB);
  assert.deepEqual(registry.log.filter((line) => line.startsWith("PATCH")).length, 3);
});

test("a source that cannot begin in the middle begins anew, and so does the upload", async () => {
  await using registry = await startUploadRegistry({ fault: strikes(MIDDLE, "cut") });
  await using destination = await openTo(registry.host, { limits: { checkpointBytes: 64_000 } });
  const opened: number[] = [];
  const open = bytesOf(BLOB, { opened });
  await destination.putBlob(blobOf(BLOB), (start) => {
    if (start === 0) return open(0);
    throw new DenrootError("range_unsupported", "The server cannot send a part");
  }, NEVER);
  assert.deepEqual(registry.blobs.get(blobOf(BLOB).digest), BLOB);
  assert.deepEqual(opened, [0, 0]);
});

test("a long blob goes on near the byte where it was cut, not at its beginning", async () => {
  await using registry = await startUploadRegistry({ fault: strikes(MIDDLE, "cut") });
  await using destination = await openTo(registry.host, { limits: { checkpointBytes: 64_000 } });
  const opened: number[] = [];
  const open = bytesOf(BLOB, { opened });
  await destination.putBlob(blobOf(BLOB), open, NEVER);
  assert.deepEqual(registry.blobs.get(blobOf(BLOB).digest), BLOB);
  assert.deepEqual(opened, [0, 192_000]);
});

test("a source that cannot begin in the middle is not asked for that twice", async () => {
  await using registry = await startUploadRegistry({ fault: strikes(MIDDLE, "cut", 2) });
  await using destination = await openTo(registry.host, { limits: { checkpointBytes: 64_000 } });
  const open = bytesOf(BLOB);
  await destination.putBlob(blobOf(BLOB), (start) => {
    if (start === 0) return open(0);
    throw new DenrootError("range_unsupported", "The server cannot send a part");
  }, NEVER);
  assert.deepEqual(registry.blobs.get(blobOf(BLOB).digest), BLOB);
  assert.equal(registry.log.filter((line) => line.startsWith("GET")).length, 1);
});

test("a registry that has taken no byte yet gets the blob in a new upload", async () => {
  const fault = strikes(["before", "PATCH", /uploads/], "cut");
  await using registry = await startUploadRegistry({ fault });
  await using destination = await openTo(registry.host);
  await destination.putBlob(blobOf(BLOB), bytesOf(BLOB), NEVER);
  const patches = registry.log.filter((line) => line.startsWith("PATCH"));
  assert.deepEqual(patches, ["PATCH blobs/uploads/", "PATCH blobs/uploads/"]);
});

for (const [title, refuses] of [["takes", false], ["does not take", true]] as const) {
  test(`a request that was cut after a long time is followed by parts, which the registry ${title}`, async () => {
    let cuts = refuses ? 1 : Infinity;
    await using registry = await startUploadRegistry({
      cuts: "lost",
      fault(moment) {
        const last = registry.log.at(-1)!;
        const isPart = /PATCH .* \d/.test(last);
        if (isPart && refuses) return { status: 400, body: "no chunks here" };
        return moment === "middle" && !isPart && cuts-- > 0 ? "cut" : undefined;
      },
    });
    const limits = { longRequestMs: 0, partBytes: [150_000] };
    await using destination = await openTo(registry.host, { limits });
    await destination.putBlob(blobOf(BLOB), bytesOf(BLOB), NEVER);
    assert.deepEqual(registry.blobs.get(blobOf(BLOB).digest), BLOB);
    const patches = registry.log.filter((line) => line.startsWith("PATCH")).map((line) =>
      line.slice(20)
    );
    const parts = [" 0-149999", " 150000-299999", " 300000-399999"];
    assert.deepEqual(patches, refuses ? ["", " 0-149999", ""] : ["", ...parts]);
  });
}

test("an upload that makes progress is resumed more often than the settings allow failures", async () => {
  await using registry = await startUploadRegistry({ fault: strikes(MIDDLE, "cut", 4) });
  await using destination = await openTo(registry.host, {
    settings: { transferRetries: 1 },
    limits: { progressBytes: 1000 },
  });
  await destination.putBlob(blobOf(BLOB), bytesOf(BLOB), NEVER);
  assert.deepEqual(registry.blobs.get(blobOf(BLOB).digest), BLOB);
});

test("an upload that is always cut fails after the retries, and says so", async () => {
  const fault = strikes(["before", "PATCH", /uploads/], "cut", Infinity);
  await using registry = await startUploadRegistry({ fault });
  await using destination = await openTo(registry.host);
  const put = destination.putBlob(blobOf(BLOB), bytesOf(BLOB), NEVER);
  await assert.rejects(put, isError("network", /it was cut/));
  assert.equal(registry.log.filter((line) => line.startsWith("PATCH")).length, 3);
});

test("a stream that was left and then fails does not spoil the next attempt", async () => {
  await using registry = await startUploadRegistry({ fault: strikes(MIDDLE, "cut", 2) });
  await using destination = await openTo(registry.host);
  const isLeft = Promise.withResolvers<void>();
  let opened = 0;
  await destination.putBlob(blobOf(BLOB), async function* (start) {
    const isFirst = ++opened === 1;
    if (!isFirst) isLeft.resolve();
    for (let at = start; at < BLOB.length; at += 10_000) {
      // More than the half has gone out, so the registry has cut the connection.
      if (isFirst && at === 220_000) {
        await isLeft.promise;
        throw new Error("the stream that was left has failed");
      }
      await sleep(1);
      yield BLOB.subarray(at, at + 10_000);
    }
  }, NEVER);
  assert.equal(opened, 3);
  assert.deepEqual(registry.blobs.get(blobOf(BLOB).digest), BLOB);
});

test("a source that cannot even begin at the beginning is not asked again", async () => {
  await using registry = await startUploadRegistry();
  await using destination = await openTo(registry.host);
  let opened = 0;
  const put = destination.putBlob(blobOf(BLOB), () => {
    assert.equal(++opened, 1);
    throw new DenrootError("range_unsupported", "The server cannot send a part");
  }, NEVER);
  await assert.rejects(put, isError("range_unsupported", /a part/));
});

test("an abort in mid-upload cancels the upload, at its new place where the registry wants that", async () => {
  let refusals = 0;
  const fault = (moment: string, method: string): Fault => {
    if (moment !== "before" || method !== "DELETE" || ++refusals > 2) return undefined;
    return { status: 416, body: '{"errors":[{"code":"RANGE_INVALID"}]}' };
  };
  await using registry = await startUploadRegistry({ fault, cuts: "kept" });
  await using destination = await openTo(registry.host);
  const stop = new AbortController();
  async function* endless(): AsyncIterable<Uint8Array> {
    yield BLOB.subarray(0, 100_000);
    yield BLOB.subarray(100_000, 200_000);
    await until(() => registry.sessions.get("1")!.length > 0);
    stop.abort();
    yield BLOB.subarray(200_000);
  }
  const put = destination.putBlob(blobOf(BLOB), endless, stop.signal);
  await assert.rejects(put, isError("aborted", /./));
  assert.equal(registry.sessions.size, 0, "the upload is still open");
  assert.equal(registry.log.filter((line) => line.startsWith("GET ")).length, 2);
});
