/** Tests what `listTags` says about a registry without a repository. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../../lib/errors.ts";
import { listTags } from "../../lib/image/list_tags.ts";

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
