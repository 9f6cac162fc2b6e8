/** Random images are copied around a ring of all local places, and come back the same. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { anyShape, Layout, type Shape, useCopies } from "./copy_fixture.ts";

const { copy, scratch } = useCopies();
let rings = 0;

/** The names of all blobs in a layout: its documents, configurations and layers. */
function blobsIn(layout: string): string[] {
  return readdirSync(join(layout, "blobs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.includes("/")).sort();
}

const signature: fc.Arbitrary<Shape> = fc.record({
  kind: fc.constant("chart" as const),
  layers: fc.array(fc.nat(6), { minLength: 1, maxLength: 2 }),
});

test("a random image and what refers to it come around the ring with the same digests", async () => {
  const referrers = fc.array(signature, { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(anyShape, referrers, async (shape, signatures) => {
      const home = join(scratch, `ring-${++rings}`);
      const source = new Layout(join(home, "source"));
      const root = source.add(shape);
      source.list(root, "v1");
      // Each one refers to the one before, and the first one to the image.
      let subject = root;
      for (const one of signatures) {
        subject = source.add(one, subject);
        source.list(subject);
      }
      const ring = [
        `oci:${source.path}:v1`,
        `oci-archive:${home}/a.tar:v2`,
        `dir:${home}/b`,
        `oci-archive:${home}/c.tar`,
        `oci:${home}/end:v3`,
      ];
      for (const [index, to] of ring.entries()) {
        if (index === 0) continue;
        const { digest, sourceDigest } = await copy(ring[index - 1]!, to);
        assert.deepEqual([digest, sourceDigest], [root.digest, root.digest], to);
      }
      assert.deepEqual(blobsIn(join(home, "end")), blobsIn(source.path));
    }),
    { numRuns: 20 },
  );
});

test("signatures with tags of their own come along where there is room for tags", async () => {
  const home = join(scratch, "tagged");
  const source = new Layout(join(home, "source"));
  const child: Shape = { kind: "image", layers: [1, 2] };
  const root = source.add({ kind: "index", children: [child] });
  const platform = source.add(child);
  source.list(root, "v1");
  const tagOf = (digest: string, suffix: string) => `${digest.replace(":", "-")}.${suffix}`;
  const tags = [
    tagOf(root.digest, "sig"),
    tagOf(platform.digest, "att"),
    tagOf(root.digest, "sbom"),
  ];
  for (const [index, tag] of tags.entries()) {
    source.list(source.add({ kind: "chart", layers: [3 + index] }), tag);
  }
  source.list(source.add({ kind: "chart", layers: [6] }), tagOf(`sha256:${"0".repeat(64)}`, "sig"));
  await copy(`oci:${source.path}:v1`, `oci-archive:${home}/a.tar:v1`);
  await copy(`oci-archive:${home}/a.tar:v1`, `oci:${home}/b:v1`);
  for (const tag of tags) {
    await copy(`oci:${home}/b:${tag}`, `oci:${home}/${tag}:v1`);
  }
  await assert.rejects(
    copy(`oci:${home}/b:${tagOf(`sha256:${"0".repeat(64)}`, "sig")}`, `oci:${home}/no:v1`),
    /has no tag/,
  );
  const log: string[] = [];
  await copy(`oci:${home}/b:v1`, `dir:${home}/c`, { log });
  assert.match(log.join("\n"), /no room for tags: .*\.sig/);
});
