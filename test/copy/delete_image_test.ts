/** What is deleted, what is said before, and what registries forbid. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { deleteImage, type DeleteOptions, type DeletePlan } from "../../lib/copy/delete_image.ts";
import { startUploadRegistry, type UploadRegistry } from "../helpers/upload_registry.ts";
import { isError } from "../transport/registry/registry_fixture.ts";
import { Layout, type Shape, useCopies } from "./copy_fixture.ts";

const { copy, copySettings, scratch } = useCopies();
const IMAGE: Shape = { kind: "image", layers: [1, 2] };
let homes = 0;

interface Filled {
  readonly uri: string;
  readonly index: string;
  readonly image: string;
}

/** `v1` and `v2` are an index, `one` is the image in it. */
async function fill(registry: UploadRegistry): Promise<Filled> {
  const source = new Layout(join(scratch, `delete-${++homes}`));
  const index = source.add({ kind: "index", children: [IMAGE] });
  const image = source.add(IMAGE);
  source.list(index, "all");
  source.list(image, "one");
  const uri = `docker://${registry.host}/team/app`;
  await copy(`oci:${source.path}:all`, `${uri}:v1`, { furtherTags: ["v2"] });
  await copy(`oci:${source.path}:one`, `${uri}:one`);
  return { uri, index: index.digest, image: image.digest };
}

function remove(uri: string, options: DeleteOptions = {}): Promise<DeletePlan | undefined> {
  return deleteImage(uri, { settings: copySettings(), ...options });
}

test("a tag goes alone, and nothing is deleted after a no", async () => {
  await using registry = await startUploadRegistry();
  const { uri, index } = await fill(registry);
  const asked: DeletePlan[] = [];
  const no = await remove(`${uri}:v1`, {
    confirm: (plan) => {
      asked.push(plan);
      return Promise.resolve(false);
    },
  });
  assert.equal(no, undefined);
  assert.deepEqual([asked[0]!.tag, asked[0]!.digest], ["v1", index]);
  assert.ok(registry.tags.has("v1"));
  await remove(`${uri}:v1`);
  assert.deepEqual([...registry.tags.keys()].sort(), ["one", "v2"]);
  assert.ok(registry.manifests.has(index));
});

test("a digest takes all its tags along, and says so before", async () => {
  await using registry = await startUploadRegistry();
  const { uri, index } = await fill(registry);
  const deleted = await remove(`${uri}@${index}`);
  assert.deepEqual([deleted!.tags, deleted!.indexes], [["v1", "v2"], []]);
  assert.deepEqual([...registry.tags.keys()], ["one"]);
});

test("it is said which indexes list the manifest", async () => {
  await using registry = await startUploadRegistry();
  const { uri, image } = await fill(registry);
  const plan = await remove(`${uri}@${image}`);
  assert.deepEqual([plan!.tags, plan!.indexes], [["one"], ["v1", "v2"]]);
});

test("a registry that deletes whole manifests only is explained, with the tags at stake", async () => {
  await using registry = await startUploadRegistry({ deletes: "manifests" });
  const { uri, index } = await fill(registry);
  await assert.rejects(remove(`${uri}:v1`), (error: Error & { hint?: string }) => {
    isError("unsupported", /deletes no tags alone: .*answered 400/)(error);
    assert.match(
      error.hint ?? "",
      new RegExp(`denroot delete \\S+@${index} .* tags v1, v2 are lost`),
    );
    return true;
  });
  assert.ok(registry.tags.has("v1"));
});

test("a registry that deletes nothing says so", async () => {
  await using registry = await startUploadRegistry({ deletes: "nothing" });
  const { uri, index } = await fill(registry);
  await assert.rejects(remove(`${uri}@${index}`), (error: Error & { hint?: string }) => {
    isError("unsupported", /cannot be deleted: .*405.*UNSUPPORTED/)(error);
    assert.match(error.hint ?? "", /administrator/);
    return true;
  });
});

test("what is not there, not named or named twice is refused", async () => {
  await using registry = await startUploadRegistry();
  const { uri, index } = await fill(registry);
  const before = registry.log.length;
  await assert.rejects(remove(uri), isError("usage", /which tag/));
  await assert.rejects(remove(`${uri}:v1@${index}`), isError("usage", /a tag and a digest/));
  await assert.rejects(remove("oci:somewhere:v1"), isError("unsupported", /not in a registry/));
  assert.equal(registry.log.length, before);
  await assert.rejects(remove(`${uri}:v3`), isError("not_found", /is not there/));
  const none = `sha256:${"0".repeat(64)}`;
  await assert.rejects(remove(`${uri}@${none}`), isError("not_found", /is not there/));
  assert.ok(!registry.log.some((line) => line.startsWith("DELETE")));
});
