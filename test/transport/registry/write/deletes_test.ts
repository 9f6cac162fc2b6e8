/** Deleting: a tag, or a manifest with all its tags; and registries that forbid it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startFakeRegistry } from "../../../helpers/fake_registry.ts";
import { BEARER, challenge, token, TOKEN_REQUEST } from "../auth/authentication_fixture.ts";
import { isError, NEVER } from "../registry_fixture.ts";
import { imageOf, openTo } from "./write_fixture.ts";

const { digest } = imageOf("a layer").document;
const BY_DIGEST = `DELETE /v2/team/app/manifests/${digest}`;
const BY_TAG = "DELETE /v2/team/app/manifests/v1";

test("deleting asks for a token that may delete", async () => {
  await using registry = await startFakeRegistry([
    { request: BY_DIGEST, answer: challenge(BEARER) },
    { request: TOKEN_REQUEST.replace("pull", "pull%2Cpush%2Cdelete"), answer: token("t1") },
    { request: BY_DIGEST, sent: { authorization: "Bearer t1" }, answer: { status: 202 } },
    { request: BY_TAG, answer: { status: 202 } },
  ]);
  await using destination = await openTo(registry.host);
  await destination.deleteManifest(digest, NEVER);
  await destination.deleteTag("v1", NEVER);
});

for (
  const [title, request, answer, message, hint] of [
    [
      "images",
      BY_DIGEST,
      { status: 405, body: '{"errors":[{"code":"UNSUPPORTED"}]}' },
      /manifest sha256:.* cannot be deleted: .*answered 405/,
      /administrator/,
    ],
    [
      "tags, in one way",
      BY_TAG,
      { status: 400, body: '{"errors":[{"code":"DIGEST_INVALID"}]}' },
      /tag v1 of .* cannot be deleted: .*DIGEST_INVALID/,
      /by its digest/,
    ],
    [
      "tags, in another way",
      BY_TAG,
      { status: 400, body: '{"errors":[{"code":"UNSUPPORTED"}]}' },
      /UNSUPPORTED/,
      /by its digest/,
    ],
  ] as const
) {
  test(`a registry that deletes no ${title} is told in words`, async () => {
    await using registry = await startFakeRegistry([{ request, answer }]);
    await using destination = await openTo(registry.host);
    const deleting = request === BY_TAG
      ? destination.deleteTag("v1", NEVER)
      : destination.deleteManifest(digest, NEVER);
    await assert.rejects(deleting, (error) => {
      isError("unsupported", message)(error);
      assert.match((error as { hint?: string }).hint ?? "", hint);
      return true;
    });
  });
}

test("what is not there cannot be deleted", async () => {
  await using registry = await startFakeRegistry([{ request: BY_TAG, answer: { status: 404 } }]);
  await using destination = await openTo(registry.host);
  await assert.rejects(destination.deleteTag("v1", NEVER), isError("not_found", /tag v1 of/));
});
