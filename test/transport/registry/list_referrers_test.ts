/** What refers to an image: a registry's own list, or the index under a tag that stands for it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OCI_INDEX, OCI_MANIFEST } from "../../../lib/oci/media_types.ts";
import { type Answer, startFakeRegistry } from "../../helpers/fake_registry.ts";
import { blobOf, indexText, isError, MANIFEST, NEVER, open } from "./registry_fixture.ts";

const { digest } = blobOf("a subject");
const LIST = `GET /v2/team/app/referrers/${digest}`;
const TAGGED = `GET /v2/team/app/manifests/${digest.replace(":", "-")}`;

function list(names: readonly string[], headers: Record<string, string> = {}): Answer {
  const body = indexText(names.map((name) => [name, {}]));
  return { headers: { "Content-Type": OCI_INDEX, ...headers }, body };
}

function digestsOf(...names: readonly string[]): readonly string[] {
  return names.map((name) => blobOf(name).digest);
}

test("the list comes page after page, and each referrer counts once", async () => {
  await using registry = await startFakeRegistry([
    {
      request: LIST,
      sent: { accept: OCI_INDEX },
      answer: list(["a", "b"], { Link: `</v2/team/app/referrers/${digest}?next=2>; rel="next"` }),
    },
    { request: `${LIST}?next=2`, answer: list(["b", "c"]) },
  ]);
  await using source = await open(registry.host);
  const found = await source.referrers(digest, NEVER);
  assert.deepEqual(found.map((entry) => entry.digest), digestsOf("a", "b", "c"));
});

test("a registry that lists nothing has no referrers, and is not asked for the tag", async () => {
  await using registry = await startFakeRegistry([{ request: LIST, answer: list([]) }]);
  await using source = await open(registry.host);
  assert.deepEqual(await source.referrers(digest, NEVER), []);
});

for (
  const [title, answer] of [
    ["404", { status: 404 }],
    ["405", { status: 405, body: '{"errors":[{"code":"UNSUPPORTED"}]}' }],
    ["a manifest", { body: MANIFEST, headers: { "Content-Type": OCI_MANIFEST } }],
    ["a web page", { body: "<!doctype html><title>hello</title>" }],
  ] as const
) {
  test(`a registry that knows no lists, and says ${title}, has an index under a tag`, async () => {
    await using registry = await startFakeRegistry([
      { request: LIST, answer },
      { request: TAGGED, answer: list(["a"]) },
      { request: TAGGED, answer: { status: 404 } },
    ]);
    await using source = await open(registry.host);
    const found = await source.referrers(digest, NEVER);
    assert.deepEqual(found.map((entry) => entry.digest), digestsOf("a"));
    // What it does not know for one image it does not know for another.
    assert.deepEqual(await source.referrers(digest, NEVER), []);
  });
}

test("a manifest under the tag is no list", async () => {
  await using registry = await startFakeRegistry([
    { request: LIST, answer: { status: 404 } },
    { request: TAGGED, answer: { body: MANIFEST, headers: { "Content-Type": OCI_MANIFEST } } },
  ]);
  await using source = await open(registry.host);
  assert.deepEqual(await source.referrers(digest, NEVER), []);
});

test("the tag for a digest of sha512 is cut to the length that tags may have", async () => {
  const long = `sha512:${"ab".repeat(64)}`;
  await using registry = await startFakeRegistry([
    { request: `GET /v2/team/app/referrers/${long}`, answer: { status: 404 } },
    { request: `GET /v2/team/app/manifests/sha512-${"ab".repeat(32)}`, answer: { status: 404 } },
  ]);
  await using source = await open(registry.host);
  assert.deepEqual(await source.referrers(long, NEVER), []);
});

test("a registry that fails is not taken for one without lists", async () => {
  await using registry = await startFakeRegistry([
    { request: LIST, answer: { status: 403 } },
    { request: LIST, answer: { status: 500 } },
    { request: LIST, answer: list(["a"]) },
  ]);
  await using source = await open(registry.host);
  await assert.rejects(source.referrers(digest, NEVER), isError("credentials", /What refers to/));
  assert.equal((await source.referrers(digest, NEVER)).length, 1);
});

test("pages that lead in a circle are an error", async () => {
  const link = { Link: `</v2/team/app/referrers/${digest}?next=2>; rel="next"` };
  await using registry = await startFakeRegistry([
    { request: LIST, answer: list(["a"], link) },
    { request: `${LIST}?next=2`, answer: list(["b"], link) },
  ]);
  await using source = await open(registry.host);
  await assert.rejects(source.referrers(digest, NEVER), isError("registry", /again and again/));
});
