/** Incremental archives: what they leave out, and the order in which they are read. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Layout } from "../copy/copy_fixture.ts";
import { blobPath } from "../helpers/image_fixture.ts";
import { isError } from "../transport/registry/registry_fixture.ts";
import {
  addImage,
  APP,
  BASE,
  fates,
  FIRST,
  inventoryOf,
  layoutWith,
  membersOf,
  namesIn,
  SECOND,
  THIRD,
  useSyncs,
  WEB,
} from "./sync_fixture.ts";

const { newHome, sync } = useSyncs();

/** Three archives for one other side, each since the one before. */
async function increments(home: string): Promise<readonly [string, string, string]> {
  const archives = ["a", "b", "c"].map((name) => join(home, `${name}.tar`));
  for (const [index, images] of [FIRST, SECOND, THIRD].entries()) {
    const { path } = layoutWith(join(home, `near-${index}`), images);
    const since = index === 0 ? [] : [archives[index - 1]!];
    await sync(`oci:${path}`, `oci-archive:${archives[index]}`, { since });
  }
  return archives as unknown as readonly [string, string, string];
}

test("an increment has what changed, and names what it needs", async () => {
  const home = newHome();
  const [, b, c] = await increments(home);
  const second = inventoryOf(b);
  assert.deepEqual(
    second.images.map(({ name }: { name: string }) => name),
    [
      `${WEB}:latest`,
      `${APP}:2`,
    ].sort(),
  );
  assert.deepEqual(second.needs, [{
    digest: BASE.digest,
    size: BASE.size,
    in: [WEB, APP],
  }]);
  assert.ok(!membersOf(b).includes(blobPath("", BASE.digest)));
  const third = inventoryOf(c);
  assert.deepEqual(third.images.map(({ name }: { name: string }) => name), [`${WEB}:latest`]);
  // It remembers all that the other side has by then.
  assert.deepEqual(third.known.map(({ name }: { name: string }) => name).sort(), [
    `${APP}:1`,
    `${APP}:2`,
  ]);
});

test("increments in any order, and again, give what the last one says", async () => {
  const home = newHome();
  const [a, b, c] = await increments(home);
  const far = join(home, "far");
  const read = (archive: string) => sync(`oci-archive:${archive}`, `oci:${far}`);
  await assert.rejects(read(c), isError("not_found", /needs a blob that is neither in it nor at/));
  assert.ok(!existsSync(join(far, "index.json")), "something was sent");
  await read(a);
  await read(c);
  assert.deepEqual(fates(await read(b)), { "app:2": "copied", "web:latest": "newer" });
  await read(a);
  assert.deepEqual(fates(await read(c)), { "web:latest": "present" });
  const { digests } = layoutWith(join(home, "expected"), THIRD);
  assert.deepEqual(namesIn(far), digests);
  // Somebody who wants the older image back says so.
  await sync(`oci-archive:${a}`, `oci:${far}`, { force: true });
  assert.equal(namesIn(far)[`${WEB}:latest`], inventoryOf(a).images[0].digest);
});

test("without --since, digests that were carried back tell what to leave out", async () => {
  const home = newHome();
  const first = layoutWith(join(home, "near"), FIRST);
  const far = join(home, "far");
  await sync(`oci:${first.path}`, `oci:${far}`);
  const list = join(home, "manifests.json");
  // As denroot manifests --json prints it: one of them is not in the list any more.
  writeFileSync(list, JSON.stringify(Object.values(first.digests).map((digest) => ({ digest }))));
  const later = new Layout(join(home, "later"));
  addImage(later, `${APP}:1`, FIRST[`${APP}:1`]!);
  addImage(later, `${APP}:2`, SECOND[`${APP}:2`]!);
  const archive = join(home, "b.tar");
  await sync(`oci:${later.path}`, `oci-archive:${archive}`, { have: [list] });
  assert.ok(!membersOf(archive).includes(blobPath("", BASE.digest)));
  await sync(`oci-archive:${archive}`, `oci:${far}`);
  assert.deepEqual(
    Object.keys(namesIn(far)).sort(),
    [`${APP}:1`, `${APP}:2`, `${WEB}:latest`].sort(),
  );
});

test("a list of digests that has none, and an archive without an inventory, are refused", async () => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), FIRST);
  writeFileSync(join(home, "none.json"), '{"digest": "no digest"}');
  writeFileSync(join(home, "text"), "no JSON");
  const to = `oci-archive:${home}/a.tar`;
  const write = (options: object) => sync(`oci:${path}`, to, options);
  await assert.rejects(
    write({ have: [join(home, "none.json")] }),
    isError("manifest", /no digests/),
  );
  await assert.rejects(write({ have: [join(home, "text")] }), isError("manifest", /is not JSON/));
  await assert.rejects(write({ have: [join(home, "gone")] }), isError("file", /cannot be read/));
  await assert.rejects(
    write({ since: [join(home, "text")] }),
    isError("unsupported", /text" is a text/),
  );
  await assert.rejects(
    write({ since: [join(home, "gone.tar")] }),
    isError("not_found", /gone\.tar" does not exist/),
  );
  execFileSync("tar", ["-cf", join(home, "plain.tar"), "-C", path, "."]);
  await assert.rejects(
    write({ since: [join(home, "plain.tar")] }),
    isError("unsupported", /no archive that denroot sync wrote/),
  );
  rmSync(join(home, "plain.tar"));
  assert.deepEqual(readdirSync(home).sort(), ["near", "none.json", "text"]);
});

test("an increment in which nothing changed has no images, and is read as such", async () => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), FIRST);
  await sync(`oci:${path}`, `oci-archive:${home}/a.tar`);
  await sync(`oci:${path}`, `oci-archive:${home}/b.tar`, { since: [join(home, "a.tar")] });
  assert.deepEqual(inventoryOf(join(home, "b.tar")).images, []);
  const { images } = await sync(`oci-archive:${home}/b.tar`, `oci:${home}/far`);
  assert.deepEqual(images, []);
});

test("what only an archive can follow is refused elsewhere", async () => {
  const home = newHome();
  const { path } = layoutWith(join(home, "near"), FIRST);
  for (const options of [{ since: ["a.tar"] }, { have: ["a.json"] }, { splitBytes: 2 ** 20 }]) {
    await assert.rejects(
      sync(`oci:${path}`, `oci:${home}/far`, options),
      isError("usage", /^--(since|have|split) is for an archive alone$/),
    );
  }
});
