/** Tests of the faults that real engines have, with a scripted engine. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import * as http from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { loadSettings } from "../../../lib/config/settings.ts";
import { BlobCache } from "../../../lib/store/blob_cache.ts";
import { openSource } from "../../../lib/transport/open_source.ts";
import type { ResolvedImage } from "../../../lib/types/image.ts";
import type { EngineReference } from "../../../lib/types/reference.ts";
import { scratchDirectory } from "../../helpers/scratch.ts";
import { file, tarArchive } from "../../helpers/tar_fixture.ts";
import { resolveImage } from "../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("engine");
const ID = `sha256:${"1".repeat(64)}`;
const ARCHIVE = tarArchive([file("1.tar", "x".repeat(200_000)), file("2.tar", "y")]);
const platform = { os: "linux", architecture: "arm64", variant: "v8" };
let count = 0;

type Answer = (response: http.ServerResponse, url: URL) => void;

interface Script {
  readonly ping?: Answer;
  readonly inspect?: Answer;
  readonly save?: Answer;
  readonly apiVersion?: string;
}

const json = (status: number, value: unknown): Answer => (response) => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
};

/** Resolves an image of a daemon that follows the script; `asked` has the paths of all requests. */
async function ask(
  script: Script,
  signal = new AbortController().signal,
): Promise<{ image?: ResolvedImage; error?: Error & { code?: string }; asked: string[] }> {
  const name = `engine${++count}`;
  const asked: string[] = [];
  const answers: readonly [RegExp, Answer][] = [
    [/^\/_ping$/, script.ping ?? ((response) => response.end("OK"))],
    [/\/json$/, script.inspect ?? json(200, { Id: ID, RootFS: { Layers: [] } })],
    [/\/get$/, script.save ?? json(404, { message: "reference does not exist" })],
  ];
  const server = http.createServer((request, response) => {
    asked.push(decodeURIComponent(request.url!));
    response.setHeader("api-version", script.apiVersion ?? "1.41");
    const url = new URL(request.url!, "http://engine");
    answers.find(([pattern]) => pattern.test(url.pathname))![1](response, url);
  });
  const socket = join(scratch, `${name}.sock`);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const settings = await loadSettings({
    HOME: scratch,
    DOCKER_HOST: `unix://${socket}`,
    ENROOT_CACHE_PATH: join(scratch, name),
    ENROOT_CONNECT_TIMEOUT: "2",
    PATH: "/nowhere",
  });
  const reference: EngineReference = { scheme: "dockerd", image: "n/app:v1" };
  const blobs = new BlobCache(settings.cachePath);
  blobs.open();
  try {
    await using source = await openSource(reference, { settings, blobs, platform, signal });
    return { image: await resolveImage(source, platform, signal), asked };
  } catch (error) {
    assert.deepEqual(readdirSync(join(settings.cachePath, "ingest")), []);
    return { error: error as Error, asked };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function assertFails(script: Script, code: string, message: RegExp): Promise<void> {
  const { error } = await ask(script);
  assert.match(error?.message ?? "no error", message);
  assert.equal(error?.code, code);
}

test("requests use the older of the daemon's version and denroot's own", async () => {
  assert.deepEqual((await ask({})).asked, [
    "/_ping",
    "/v1.41/images/n/app:v1/json",
    `/v1.41/images/${"1".repeat(64)}/get`,
  ]);
  const { asked } = await ask({ apiVersion: "1.99", save: json(500, { message: "x" }) });
  assert.equal(
    asked[1],
    '/v1.52/images/n/app:v1/json?platform={"os":"linux","architecture":"arm64","variant":"v8"}',
  );
});

test("an image that is only for another platform is requested for that platform", async () => {
  const { asked } = await ask({
    apiVersion: "1.49",
    inspect: (response, url) =>
      url.search === ""
        ? json(200, { Id: ID, Os: "linux", Architecture: "s390x", RootFS: {} })(response, url)
        : json(404, { message: "does not provide the specified platform" })(response, url),
  });
  assert.deepEqual(asked.slice(2), [
    "/v1.49/images/n/app:v1/json",
    `/v1.49/images/${"1".repeat(64)}/get?platform={"os":"linux","architecture":"s390x"}`,
  ]);
});

test("an error has the engine's own message", async () => {
  await assertFails(
    { inspect: json(500, { message: "driver\u001b[31m is gone" }) },
    "registry",
    /answered 500: driver\\u\{1b\}\[31m is gone$/,
  );
  await assertFails({ save: json(500, { message: "disk on fire" }) }, "registry", /disk on fire$/);
  const late = JSON.stringify({ errorDetail: { message: "lost" }, error: "lost a layer" });
  for (const length of [1024, 150_000, ARCHIVE.length]) {
    const save: Answer = (response) => {
      response.write(ARCHIVE.subarray(0, length));
      response.end(`${late}\r\n`);
    };
    await assertFails({ save }, "registry", /ended the transfer with an error: lost a layer$/);
  }
});

test("a stream that is cut or is not an archive leaves nothing in the cache", async () => {
  const cut: Answer = (response) => {
    response.write(ARCHIVE.subarray(0, 150_000), () => response.destroy());
  };
  await assertFails({ save: cut }, "network", /closed the connection during the transfer$/);
  const short: Answer = (response) => response.end(ARCHIVE.subarray(0, 150_000));
  await assertFails({ save: short }, "file", /The archive from the Docker daemon at unix:.* cut/);
  const foreign: Answer = (response) => response.end("<html>".repeat(1000));
  await assertFails({ save: foreign }, "file", /is damaged or not a tar archive/);
  const empty: Answer = (response) => response.end(ARCHIVE);
  await assertFails({ save: empty }, "not_found", /has no manifest\.json/);
});

test("a socket at which no engine answers gives an error that says what is there", async () => {
  await assertFails(
    {
      ping: (response) => {
        response.removeHeader("api-version");
        response.writeHead(400);
        response.end("go away");
      },
    },
    "network",
    /No Docker daemon answers at unix:.* \(the answer is not an engine's: 400 go away\)/,
  );
  await assertFails({ ping: () => {} }, "network", /\(there was no answer within 2 seconds\)/);
  await assertFails({ ping: (response) => response.destroy() }, "network", /was closed\)/);
  await assertFails(
    { inspect: (response) => response.end("hello") },
    "registry",
    /gave an answer that is not JSON$/,
  );
  await assertFails(
    { inspect: json(200, { Id: "../x" }) },
    "manifest",
    /"\.\.\/x" is not a digest$/,
  );
});

test("an interruption ends the transfer at once", async () => {
  for (const moment of ["ping", "inspect", "save"] as const) {
    const controller = new AbortController();
    const silent: Answer = (response) => {
      if (moment === "save") response.write(ARCHIVE.subarray(0, 150_000));
      setTimeout(() => controller.abort(), 50);
    };
    const { error } = await ask({ [moment]: silent }, controller.signal);
    assert.equal(error?.code, "aborted", moment);
  }
});
