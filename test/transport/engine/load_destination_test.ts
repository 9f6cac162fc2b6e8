/** Engines that take images, and what they say when they do not. */

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { Layout, useCopies } from "../../copy/copy_fixture.ts";
import { isError } from "../registry/registry_fixture.ts";

const { copy, copySettings, scratch } = useCopies();
const source = new Layout(join(scratch, "for-engines"));
source.list(source.add({ kind: "image", layers: [1, 6] }), "v1");
const from = `oci:${source.path}:v1`;
let count = 0;

type Load = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** Copies to a daemon that answers a load with `load`. */
async function copyToDaemon(load: Load): Promise<unknown> {
  const server = http.createServer((request, response) => {
    response.setHeader("api-version", "1.41");
    if (request.url === "/_ping") return response.end("OK");
    if (request.url === "/v1.41/images/docker.io/library/app:v1/json") {
      return response.writeHead(404).end('{"message":"No such image: app:v1"}');
    }
    assert.match(request.url!, /^\/v1\.41\/images\/load/);
    load(request, response);
  });
  const socket = join(scratch, `load-${++count}.sock`);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const environment = { HOME: scratch, DOCKER_HOST: `unix://${socket}` };
  try {
    return await copy(from, "docker-daemon:app:v1", { settings: copySettings({ environment }) });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function afterBody(status: number, text: string): Load {
  return (request, response) => {
    request.resume().on("end", () => response.writeHead(status).end(text));
  };
}

test("an error that comes with status 200 is an error", async () => {
  const text = '{"stream":"Loading"}\n{"errorDetail":{"message":"no space"},"error":"no space"}\n';
  const refused = copyToDaemon(afterBody(200, text));
  await assert.rejects(refused, isError("registry", /^The destination docker-daemon:.*no space/));
});

test("the engine's own words count, and an engine that stops to read ends the copy", async () => {
  const refused = copyToDaemon(afterBody(500, '{"message":"the store is read-only"}'));
  await assert.rejects(refused, isError("registry", /500: the store is read-only/));
  const early = copyToDaemon((_request, response) =>
    response.writeHead(403).end('{"message":"forbidden by a plugin"}')
  );
  // The broken pipe may be noticed before the answer is read.
  await assert.rejects(early, /403: forbidden by a plugin|closed the connection/);
  const cut = copyToDaemon((request) => request.socket.destroy());
  await assert.rejects(cut, isError("network", /^The destination docker-daemon:.*closed/));
});

test("a daemon that takes the image gives no error", async () => {
  await copyToDaemon(afterBody(200, '{"stream":"Loaded image: app:v1\\n"}\n'));
});

/** Copies to a podman that is this shell script. */
async function copyToPodman(script: string): Promise<string> {
  const directory = join(scratch, `podman-${++count}`);
  mkdirSync(directory);
  const program = join(directory, "podman");
  const isInspect = 'case "$*" in *"image inspect"*) echo "image not known" >&2; exit 125;; esac';
  const text = ["#!/bin/sh", isInspect, `echo "$@" > "${directory}/called"`, script, ""].join("\n");
  writeFileSync(program, text);
  chmodSync(program, 0o755);
  const environment = { HOME: scratch, PATH: `${directory}:/usr/bin:/bin` };
  const to = "containers-storage:[vfs@/srv/images]localhost/app:v1";
  await copy(from, to, { settings: copySettings({ environment }) });
  return readFileSync(join(directory, "called"), "utf8").trim();
}

test("podman gets the place of its storage, and its failure is the copy's", async () => {
  const called = await copyToPodman("cat > /dev/null");
  assert.equal(called, "--root /srv/images --storage-driver vfs load --quiet");
  const failed = copyToPodman("cat > /dev/null; echo 'Error: no room' >&2; exit 125");
  await assert.rejects(failed, isError("registry", /podman load failed: Error: no room/));
  const early = copyToPodman("echo 'Error: no storage' >&2; exit 125");
  await assert.rejects(early, isError("registry", /podman load failed: Error: no storage/));
});

test("a storage without podman is refused with a way out", async () => {
  const settings = copySettings({ environment: { HOME: scratch, PATH: "/nonexistent" } });
  const copied = copy(from, "containers-storage:localhost/app:v1", { settings });
  await assert.rejects(copied, isError("unsupported", /podman is not installed/));
});

test("an ID and a digest are no names for a new image", async () => {
  for (const name of [`sha256:${"1".repeat(64)}`, `app@sha256:${"1".repeat(64)}`]) {
    const copied = copy(from, `docker-daemon:${name}`);
    await assert.rejects(copied, isError("reference", /not a name that an image can get/));
  }
});
