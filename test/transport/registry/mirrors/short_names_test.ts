/** `docker://NAME` under DENROOT_SHORT_NAMES: aliases, then the search registries in order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReference } from "../../../../lib/reference/parse_reference.ts";
import { openRegistry } from "../../../../lib/transport/registry/source.ts";
import type { DockerReference } from "../../../../lib/types/reference.ts";
import { scratchDirectory } from "../../../helpers/scratch.ts";
import { asked, BIG, BIG_LAYER, registriesConf, serve, WHOLE } from "./mirrors_fixture.ts";
import {
  AMD64,
  isError,
  makeSettings,
  NEVER,
  NO_BLOBS,
  QUICK_LIMITS,
  read,
} from "../registry_fixture.ts";
import { resolveImage } from "../../../../lib/image/resolve_image.ts";

const scratch = scratchDirectory("short-names");

function openNamed(uri: string, text: string, log: string[] = [], shortNames = true) {
  const environment = registriesConf(scratch, text);
  return openRegistry(parseReference(uri) as DockerReference, {
    settings: makeSettings({ environment, shortNames }),
    blobs: NO_BLOBS,
    platform: AMD64,
    signal: NEVER,
    onProgress: (event) => {
      if (event.type === "log") log.push(`${event.level}: ${event.message}`);
    },
  }, QUICK_LIMITS);
}

const search = (...hosts: string[]) =>
  `unqualified-search-registries = [${hosts.map((host) => `"${host}"`).join(", ")}]\n`;

test("the image and its name come from the first search registry that has it", async () => {
  await using empty = await serve({});
  await using full = await serve(WHOLE);
  await using never = await serve(WHOLE);
  const log: string[] = [];
  const conf = search(empty.host, full.host, never.host);
  await using source = await openNamed("docker://team/app", conf, log);
  await resolveImage(source, AMD64, NEVER);
  assert.equal(await read(source, BIG_LAYER), BIG);
  assert.equal(source.uri, `docker://${full.host}#team/app:latest`);
  assert.deepEqual([asked(empty).length, asked(never).length], [1, 0]);
  assert.deepEqual(log, [
    `info: The short name team/app stands for docker://${full.host}#team/app:latest`,
  ]);
});

test("other tags are searched in the same way, and then in the registry that was found", async () => {
  await using empty = await serve({});
  await using full = await serve({
    ...WHOLE,
    "/v2/team/app/manifests/1.2": WHOLE["/v2/team/app/manifests/latest"]!,
  });
  const conf = search(empty.host, full.host);
  await using source = await openNamed("docker://team/app", conf);
  const other = source.at("1.2");
  await resolveImage(other, AMD64, NEVER);
  assert.equal(await read(other, BIG_LAYER), BIG);
  assert.equal(other.uri, `docker://${full.host}#team/app:1.2`);
  await resolveImage(source.at("latest"), AMD64, NEVER);
  assert.deepEqual(asked(empty), ["manifests/1.2"]);
});

test("an alias is the only candidate, with the tag that was asked for", async () => {
  await using aliased = await serve({});
  await using searched = await serve(WHOLE);
  const conf = `${search(searched.host)}[aliases]\nnick = "${aliased.host}/team/app"\n`;
  await using source = await openNamed("docker://nick:1.2", conf);
  await assert.rejects(resolveImage(source, AMD64, NEVER), isError("not_found", /team\/app:1\.2/));
  assert.deepEqual([asked(aliased), asked(searched)], [["manifests/1.2"], []]);
});

test("when no registry has the image, the error gives each one's reason", async () => {
  await using first = await serve({});
  await using second = await serve({ "/v2/team/app/manifests/latest": { status: 403 } });
  const conf = search(first.host, second.host);
  await using source = await openNamed("docker://team/app", conf);
  await assert.rejects(
    resolveImage(source, AMD64, NEVER),
    isError("credentials", /^team\/app was not found in any of 2 registries: .*404.*; .*403/),
  );
});

test("a blocked search registry is skipped", async () => {
  await using blocked = await serve(WHOLE);
  await using full = await serve(WHOLE);
  const rule = `[[registry]]\nlocation = "${blocked.host}"\nblocked = true\n`;
  const conf = search(blocked.host, full.host) + rule;
  await using source = await openNamed("docker://team/app", conf);
  await resolveImage(source, AMD64, NEVER);
  assert.deepEqual([asked(blocked).length, asked(full).length], [0, 1]);
  await using only = await openNamed("docker://team/app", search(blocked.host) + rule);
  await assert.rejects(resolveImage(only, AMD64, NEVER), isError("settings", /is blocked/));
});

test("a name with a registry is not a short name", async () => {
  await using named = await serve(WHOLE);
  await using searched = await serve(WHOLE);
  await using source = await openNamed(`docker://${named.host}/team/app`, search(searched.host));
  await resolveImage(source, AMD64, NEVER);
  assert.deepEqual([asked(named).length, asked(searched).length], [1, 0]);
});

test("without candidates the name is refused before any connection", async () => {
  await assert.rejects(openNamed("docker://app", ""), isError("reference", /names no registry/));
});

test("without the setting a short name means Docker Hub", async () => {
  await using source = await openNamed("docker://app", search("a.io"), [], false);
  assert.equal(source.uri, "docker://registry-1.docker.io#library/app:latest");
});
