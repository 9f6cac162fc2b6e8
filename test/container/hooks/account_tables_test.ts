/** Users and groups of a container, as enroot's own hook leaves them behind. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import {
  mergeGroup,
  mergePasswd,
  mergeShadow,
} from "../../../lib/container/hooks/account_tables.ts";

const nobody = { name: "nobody", uid: 65534, gid: 65534, comment: "nobody", home: "/" };
const users = [
  { name: "root", uid: 0, gid: 0, comment: "root", home: "/root", shell: "/bin/sh" },
  { ...nobody, shell: "/sbin/nologin" },
  { name: "ann", uid: 1001, gid: 100, comment: "Ann,,,", home: "/home/ann", shell: "/bin/sh" },
];
const OWN = "root:x:0:0:root:/root:/bin/sh\n" +
  "nobody:x:65534:65534:nobody:/:/sbin/nologin\n" +
  "ann:x:1001:100:Ann,,,:/home/ann:/bin/sh\n";

const passwdCases: readonly (readonly [title: string, before: string, others: string])[] = [
  ["an image without users gets three", "", ""],
  [
    "entries of the image with other names stay, behind the own ones",
    "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n" +
    "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n" +
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n",
  ],
  [
    "another user with the same number stays",
    "ubuntu:x:1001:1001::/h:/bin/sh\n",
    "ubuntu:x:1001:1001::/h:/bin/sh\n",
  ],
  ["the user's own name gives way", "ann:x:5:5::/x:/x\n", ""],
  ["entries that pile up go", `${OWN}${OWN}bin:x:2:2:::\n`, "bin:x:2:2:::\n"],
  ["lines that are no entries go", "bad line\n\n:x:3:3:::\nbin:x:2:2:::", "bin:x:2:2:::\n"],
  ["a network's users stay", "+::::::\n+@netgroup\n", "+::::::\n+@netgroup\n"],
];
for (const [title, before, others] of passwdCases) {
  test(`passwd: ${title}, and a second merge changes nothing`, () => {
    const merged = mergePasswd(before, users);
    assert.equal(merged, OWN + others);
    assert.equal(mergePasswd(merged, users), merged);
  });
}

test("root who starts a container is there once", () => {
  const root = { ...users[0]!, comment: "the boss", shell: "/bin/bash" };
  assert.equal(
    mergePasswd("", [users[0]!, users[1]!, root]).split("\n").filter((line) => line !== "").length,
    2,
  );
  assert.match(mergePasswd("", [users[0]!, root]), /^root:x:0:0:the boss:\/root:\/bin\/bash$/m);
});

test("groups are merged by their names", () => {
  const groups = [{ name: "root", gid: 0 }, { name: "nogroup", gid: 65534 }, {
    name: "users",
    gid: 100,
  }];
  const merged = mergeGroup(
    "root:x:0:bin\nusers:x:7:a,b\nbin:x:2:daemon\n_apt:x:9:\nodd\n",
    groups,
  );
  assert.equal(merged, "root:x:0:\nnogroup:x:65534:\nusers:x:100:\nbin:x:2:daemon\n");
  assert.equal(mergeGroup(merged, groups), merged);
});

test("a shadow table gets users that it lacks, with no password", () => {
  const before = "root:*:19000:0:99999:7:::\nnobody:*:1::::::\n";
  const merged = mergeShadow(before, ["root", "nobody", "ann"]);
  assert.equal(merged, `${before}ann:*:::::::\n`);
  assert.equal(mergeShadow(merged, ["root", "nobody", "ann"]), merged);
});

test("no field of a user adds an entry or a field", () => {
  const hostile = { ...users[2]!, comment: "x:y\nevil:x:0:0:::", home: "/a:b" };
  const merged = mergePasswd("", [hostile]);
  assert.equal(merged, "ann:x:1001:100:x_y_evil_x_0_0___:/a_b:/bin/sh\n");
});

test("names that are not ASCII are written in UTF-8, and bytes of the image stay", () => {
  const merged = mergePasswd("m\xfcller:x:7:7:::\n", [{ ...users[2]!, comment: "Jürgen" }]);
  assert.equal(Buffer.from(merged, "latin1").toString("latin1").includes("m\xfcller"), true);
  assert.ok(Buffer.from(merged, "latin1").includes(Buffer.from("Jürgen", "utf8")));
});
