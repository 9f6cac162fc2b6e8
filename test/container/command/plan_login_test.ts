/** What a login sets, from the container's own files. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { planLogin } from "../../../lib/container/command/plan_login.ts";
import { parseDefinitions } from "../../../lib/container/command/login_files.ts";
import { commandFacts } from "./command_fixture.ts";

type Given = Parameters<typeof commandFacts>[0];

const passwd = "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/zsh\n";

function added(given: Given): Record<string, string> {
  const { environment } = planLogin(commandFacts(given));
  return Object.fromEntries(environment.map(({ name, value }) => [name, value]));
}

test("variables come from passwd, and nothing that is set is changed", () => {
  assert.deepEqual(added({ texts: { "/etc/passwd": passwd } }), {
    TERM: "dumb",
    HOME: "/home/me",
    SHELL: "/bin/zsh",
    USER: "me",
    LOGNAME: "me",
    PATH: "/usr/local/bin:/usr/bin:/bin",
  });
  assert.deepEqual(
    added({
      texts: { "/etc/passwd": passwd },
      insideUid: 0,
      variables: { TERM: "", HOME: "/x", PATH: "/p", USER: "u" },
    }),
    { SHELL: "/bin/bash", LOGNAME: "me" },
  );
});

test("a program that refuses logins is no shell for a container", () => {
  for (const refusing of ["/usr/sbin/nologin", "/sbin/nologin", "/bin/false"]) {
    const { SHELL } = added({ texts: { "/etc/passwd": `me:x:1000:1000::/:${refusing}\n` } });
    assert.equal(SHELL, "/bin/sh");
  }
});

test("a container without any of the files has the least", () => {
  assert.deepEqual(added({ insideUid: 0 }), {
    TERM: "dumb",
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  });
});

test("login.defs and locale.conf add their own", () => {
  const texts = {
    "/etc/passwd": passwd,
    "/etc/login.defs": [
      "# ENV_PATH x",
      "ENV_SUPATH PATH=/s",
      "ENV_PATH\tPATH=/u # users",
      "MAIL_CHECK_ENAB yes",
      "MAIL_FILE .mail",
      'ENV_TZ "TZ=CET"',
    ].join("\n"),
    "/etc/locale.conf": 'LANG="de_DE.UTF-8"\nLC_TIME=C\nLD_PRELOAD=/evil.so\nPATH=/evil\n',
  };
  const { PATH, MAIL, TZ, LANG, LC_TIME, LD_PRELOAD } = added({ texts });
  assert.deepEqual([PATH, MAIL, TZ, LANG, LC_TIME, LD_PRELOAD], [
    "/u",
    "/home/me/.mail",
    "CET",
    "de_DE.UTF-8",
    "C",
    undefined,
  ]);
  assert.equal(added({ texts, insideUid: 0 }).PATH, "/s");
  const zone = { ...texts, "/etc/login.defs": "ENV_TZ /etc/tz\n", "/etc/tz": "TZ=UTC\nx\n" };
  assert.equal(added({ texts: zone }).TZ, "UTC");
});

const umasks: readonly (readonly [defs: string, group: string, umask: number | undefined])[] = [
  ["", "", undefined],
  ["UMASK 022", "", 0o022],
  ["UMASK 77", "", 0o077],
  ["UMASK junk", "", undefined],
  ["UMASK 022\nUSERGROUPS_ENAB yes", "me:x:1000:", 0o002],
  ["USERGROUPS_ENAB yes", "me:x:1000:", 0o002],
  ["UMASK 027\nUSERGROUPS_ENAB yes", "users:x:1000:", 0o027],
];
for (const [defs, group, umask] of umasks) {
  test(`"${defs}" with the group "${group}" gives the umask ${umask?.toString(8)}`, () => {
    const texts = { "/etc/login.defs": defs, "/etc/passwd": passwd, "/etc/group": group };
    assert.equal(planLogin(commandFacts({ texts })).umask, umask);
  });
}

test("ULIMIT counts blocks of 512 bytes", () => {
  const limit = (text: string) =>
    planLogin(commandFacts({ texts: { "/etc/login.defs": `ULIMIT ${text}\n` } }))
      .fileSizeLimitBytes;
  assert.equal(limit("2097152"), 1n << 30n);
  assert.equal(limit("-1"), (1n << 64n) - 1n);
  assert.equal(limit("junk"), undefined);
});

test("definitions are read as enroot reads them", () => {
  const text = 'A 1\nA=2\n  B = "x" y\nC\nD \n#E 1\nF 1#2\nG a\\\nb\n';
  assert.deepEqual(Object.fromEntries(parseDefinitions(text)), { A: "2", B: "x", F: "1", G: "ab" });
});
