/** The directories of a user's storage. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseReference } from "../../lib/reference/parse_reference.ts";
import { findStorage } from "../../lib/containers_conf/storage_conf.ts";
import type { StorageReference } from "../../lib/types/reference.ts";
import { scratchDirectory } from "../helpers/scratch.ts";

const scratch = scratchDirectory("storage-conf");
const conf = join(scratch, "storage.conf");

test("a directory in the reference wins over everything", () => {
  const environment = { CONTAINERS_STORAGE_CONF: "/nowhere", STORAGE_DRIVER: "zfs" };
  for (
    const [place, driver, roots] of [
      ["[/a]", undefined, ["/a"]],
      ["[vfs@/a]", "vfs", ["/a"]],
      [
        "[overlay@/a+/run:overlay.imagestore=/b,additionalimagestore=/c,mount_program=/x]",
        "overlay",
        [
          "/a",
          "/b",
          "/c",
        ],
      ],
    ] as const
  ) {
    assert.deepEqual(findStorage(reference(place), environment), { driver, roots });
  }
});

test("an ordinary user has a storage at home; the user's storage.conf can move it", () => {
  const home = join(scratch, "home");
  const own = join(home, ".config/containers/storage.conf");
  const user = { HOME: home, _CONTAINERS_ROOTLESS_UID: "1000" };
  const rootOf = (environment: Record<string, string>) =>
    findStorage(reference(""), { ...user, ...environment }).roots;
  assert.deepEqual(rootOf({}), [join(home, ".local/share/containers/storage")]);
  assert.deepEqual(rootOf({ XDG_DATA_HOME: "/data" }), ["/data/containers/storage"]);
  mkdirSync(join(own, ".."), { recursive: true });
  writeFileSync(own, '[storage]\ndriver = "vfs"\nrootless_storage_path = "/fast/$UID/${NAME}"\n');
  assert.deepEqual(rootOf({ NAME: "x" }), ["/fast/1000/x"]);
  writeFileSync(own, '[storage]\ndriver = "vfs"\ngraphroot = "$HOME/here"\n');
  assert.deepEqual(rootOf({}), [join(home, "here")]);
  assert.deepEqual(
    rootOf({ XDG_CONFIG_HOME: "/nowhere", STORAGE_OPTS: "a=b,vfs.imagestore=/more" }),
    [
      join(home, ".local/share/containers/storage"),
      "/more",
    ],
  );
});

test("root's storage, its image store and additional ones come from storage.conf", () => {
  const root = { _CONTAINERS_ROOTLESS_UID: "0", CONTAINERS_STORAGE_CONF: conf };
  writeFileSync(conf, "[storage]\n");
  assert.deepEqual(findStorage(reference(""), root), {
    driver: undefined,
    roots: ["/var/lib/containers/storage"],
  });
  writeFileSync(
    conf,
    '[storage]\ndriver = "overlay"\ngraphroot = "/root"\nimagestore = "/images"\n' +
      '[storage.options]\nadditionalimagestores = ["/more", "/still"]\n',
  );
  assert.deepEqual(findStorage(reference(""), { ...root, STORAGE_DRIVER: "vfs" }), {
    driver: "vfs",
    roots: ["/root", "/images", "/more", "/still"],
  });
});

test("a storage.conf that is broken is an error with its path", () => {
  const environment = { CONTAINERS_STORAGE_CONF: conf };
  for (
    const [text, reason] of [
      ["[storage", /storage\.conf" cannot be used: /],
      ["storage = 1", /"storage" is not a table/],
      ["[storage]\ngraphroot = 1", /"graphroot" is not text/],
      ["[storage.options]\nadditionalimagestores = [1]", /"additionalimagestores" is not a list/],
    ] as const
  ) {
    writeFileSync(conf, text);
    assert.throws(() => findStorage(reference(""), environment), reason);
  }
});

function reference(place: string): StorageReference {
  return parseReference(`containers-storage:${place}image`) as StorageReference;
}
