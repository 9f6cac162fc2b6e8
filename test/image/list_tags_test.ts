/** The list of tags comes with a reference that leads to the same place again. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "../../lib/errors.ts";
import { listTags } from "../../lib/image/list_tags.ts";
import { writeImage } from "../helpers/image_fixture.ts";
import { scratchDirectory } from "../helpers/scratch.ts";
import { registriesConf, serve } from "../transport/registry/mirrors/mirrors_fixture.ts";
import { makeSettings } from "../transport/registry/registry_fixture.ts";

const scratch = scratchDirectory("list-tags");
const TAGS = { "/v2/team/app/tags/list?n=1000": { body: '{"tags": ["a", "b"]}' } };

function settingsFor(text: string, shortNames = true) {
  const cachePath = join(scratch, "cache");
  return makeSettings({ cachePath, environment: registriesConf(scratch, text), shortNames });
}

test("a registry's reference keeps the user", async () => {
  await using registry = await serve(TAGS);
  const settings = settingsFor("");
  const list = await listTags(`docker://me@${registry.host}#team/app:x`, { settings });
  const { tag: _, ...reference } = list.reference as { tag?: string };
  assert.deepEqual(list.tags, ["a", "b"]);
  assert.deepEqual(reference, {
    scheme: "docker",
    user: "me",
    registry: registry.host,
    repository: "team/app",
  });
});

test("a short name becomes the name in the registry that has the tags", async () => {
  await using empty = await serve({});
  await using full = await serve(TAGS);
  const conf = `unqualified-search-registries = ["${empty.host}", "${full.host}"]\n`;
  const { reference } = await listTags("docker://team/app", { settings: settingsFor(conf) });
  assert.ok(reference.scheme === "docker" && reference.shortName === undefined);
  assert.equal(reference.registry, full.host);
});

test("a path gets the scheme of what is there", async () => {
  const path = join(scratch, "layout");
  writeImage(path, { layers: [], compression: "none", tag: "v1" });
  const { reference, tags } = await listTags(path, { settings: settingsFor("") });
  assert.deepEqual(tags, ["v1"]);
  assert.deepEqual(reference, { scheme: "oci", path });
});

for (
  const uri of [
    "docker://127.0.0.1:5000",
    "docker://localhost:5000",
    "docker://registry.example.com",
    "docker://registry.example.com:443",
  ]
) {
  test(`${uri} is no image of Docker Hub: the tags of a registry need a repository`, async () => {
    await assert.rejects(listTags(uri), (error) => {
      assert.ok(hasCode(error, "reference"), String(error));
      assert.equal(error.message, `"${uri}" names a registry, but no repository in it`);
      assert.match(error.hint ?? "", /docker:\/\/REGISTRY\/NAME/);
      return true;
    });
  });
}
