/** Which credentials are found, where, and which messages appear. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CredentialsQuery } from "../../../../lib/transport/registry/credentials/credentials.ts";
import type { AskPassword } from "../../../../lib/transport/registry/credentials/stored_credentials.ts";
import { isError } from "../registry_fixture.ts";
import { scratchDirectory } from "../../../helpers/scratch.ts";
import { auth, DOCKER, finderIn, NETRC, PODMAN } from "./credentials_fixture.ts";

const find = finderIn(scratchDirectory("stored-credentials"));

test("without any file there are no credentials", async () => {
  assert.deepEqual(await find({}), { found: undefined, log: [] });
});

const NETRC_TABLE: readonly (readonly [
  title: string,
  file: string,
  query: Partial<CredentialsQuery>,
  expected: string | undefined,
])[] = [
  ["by the registry's host", "machine reg.io login u password p", {}, "u:p"],
  ["in any case of the name", "machine REG.io login u password p", {}, "u:p"],
  ["not by another host", "machine eg.io login u password p", {}, undefined],
  ["without the port", "machine reg.io login u password p", { registry: "reg.io:5000" }, "u:p"],
  [
    "with the port first",
    "machine reg.io login u password p\nmachine reg.io:5000 login v password q",
    { registry: "reg.io:5000" },
    "v:q",
  ],
  [
    "not with another port",
    "machine reg.io:5001 login u password p",
    { registry: "reg.io:5000" },
    undefined,
  ],
  [
    "by the registry before the token service",
    "machine auth.io login u password p\nmachine reg.io login v password q",
    { realmHost: "auth.io" },
    "v:q",
  ],
  ["by the token service", "machine auth.io login u password p", { realmHost: "auth.io" }, "u:p"],
  [
    "by any of Docker Hub's names",
    "machine index.docker.io login u password p",
    { registry: "registry-1.docker.io" },
    "u:p",
  ],
  [
    "by the first entry of a host",
    "machine reg.io login u password p\nmachine reg.io login v password q",
    {},
    "u:p",
  ],
  [
    "by the user that the reference names",
    "machine reg.io login u password p\nmachine reg.io login v password q",
    { user: "v" },
    "v:q",
  ],
  ["by default at last", "default login u password p\nmachine x login v password q", {}, "u:p"],
  ["after substitution", "machine reg.io login u password $(echo $HOME | wc -l)", {}, "u:1"],
];

for (const [title, file, query, expected] of NETRC_TABLE) {
  test(`netrc credentials are found ${title}`, async () => {
    const { found, log } = await find({ files: { [NETRC]: file } }, query);
    assert.equal(found, expected);
    const told = expected === undefined
      ? []
      : ["info: Using credentials from ~/enroot/.credentials"];
    assert.deepEqual(log, told);
  });
}

const USELESS: readonly (readonly [file: string, warning: RegExp])[] = [
  ["machine reg.io login u", /line 1: the entry has no effect: it has no password/],
  ["\nmachine reg.io password hunter2", /line 2: .*: it has no login/],
  ["machine https://reg.io login u password hunter2", /line 1: .*not a host's name/],
  ["machine reg.io/hunter2 login u password hunter2", /line 1: .*not a host's name/],
  [
    "machine a login u password p\nmachine A login u password hunter2",
    /line 2: .*: line 1 is for the same machine and login/,
  ],
];

for (const [file, warning] of USELESS) {
  test(`an entry that matches nothing draws one warning: ${JSON.stringify(file)}`, async () => {
    const { found, log } = await find({ files: { [NETRC]: file } });
    assert.equal(found, undefined);
    assert.equal(log.length, 1);
    assert.match(log[0]!, /^warn: ~\/enroot\/\.credentials, /);
    assert.match(log[0]!, warning);
    assert.doesNotMatch(log[0]!, /hunter2/);
  });
}

test("a password command that hangs is named, and ends with the abort", async () => {
  const told: string[] = [];
  const file = "machine reg.io login u password $(sleep 61; echo hunter2)";
  const started = performance.now();
  await assert.rejects(
    find({ files: { [NETRC]: file }, abortWhenTold: true, log: (line) => told.push(line) }),
    isError("aborted", /Interrupted/),
  );
  assert.ok(performance.now() - started < 50_000, "it waited for the program");
  assert.equal(told.length, 1);
  assert.match(told[0]!, /^warn: The password command sleep of .*line 1 .* has not answered for/);
  assert.doesNotMatch(told[0]!, /hunter2/);
});

test("a substitution that fails is an error and does not lead to an anonymous pull", async () => {
  const file = "# mine\nmachine reg.io login u password $(exit 7)\n";
  await assert.rejects(
    find({ files: { [NETRC]: file } }),
    isError("credentials", /\.credentials, line 2 \(machine reg\.io\) could not .*: exit code 7/),
  );
});

test("an entry of another registry is not evaluated", async () => {
  const file = "machine other.io login u password $(touch ~/evaluated; exit 1)\n" +
    "machine reg.io login u password p\n";
  assert.equal((await find({ files: { [NETRC]: file } })).found, "u:p");
});

for (const path of [NETRC, DOCKER]) {
  test(`there is a warning when other users can read ${path}`, async () => {
    const files = path === NETRC
      ? { [path]: "machine reg.io login u password hunter2" }
      : { [path]: { auths: { "reg.io": auth("u:hunter2") } } };
    const { log } = await find({ files, mode: 0o644 });
    assert.deepEqual(log, [
      `warn: Other users can read "~/${path}": run chmod 600 on it`,
      `info: Using credentials from ~/${path}`,
    ]);
  });
}

test("the files are read in order", async () => {
  const files: Record<string, string | object> = {
    [NETRC]: "machine reg.io login netrc password p",
    "named.json": { auths: { "reg.io": auth("named:p") } },
    "run/containers/auth.json": { auths: { "reg.io": auth("runtime:p") } },
    [PODMAN]: { auths: { "reg.io": auth("podman:p") } },
    [DOCKER]: { auths: { "reg.io": auth("docker:p") } },
  };
  const env = { REGISTRY_AUTH_FILE: "~/named.json", XDG_RUNTIME_DIR: "~/run" };
  for (const user of ["netrc", "named", "runtime", "podman", "docker"]) {
    assert.equal((await find({ files, env })).found, `${user}:p`);
    delete files[Object.keys(files)[0]!];
  }
  assert.equal((await find({ files, env })).found, undefined);
});

const AUTH_TABLE: readonly (readonly [
  title: string,
  file: object,
  query: Partial<CredentialsQuery>,
  expected: string | undefined,
])[] = [
  ["user and password", { auths: { "reg.io": auth("u:p:q") } }, {}, "u:p:q"],
  ["plain fields", { auths: { "reg.io": { username: "u", password: "p" } } }, {}, "u:p"],
  [
    "an identity token",
    { auths: { "reg.io": { ...auth("<token>:"), identitytoken: "refresh" } } },
    {},
    "<token>:refresh",
  ],
  ["a URL for a key", { auths: { "https://reg.io/v2/": auth("u:p") } }, {}, "u:p"],
  [
    "Docker Hub's key",
    { auths: { "https://index.docker.io/v1/": auth("u:p") } },
    { registry: "registry-1.docker.io" },
    "u:p",
  ],
  [
    "the longest path first",
    {
      auths: { "reg.io": auth("a:p"), "reg.io/team": auth("b:p"), "reg.io/team/app": auth("c:p") },
    },
    {},
    "c:p",
  ],
  [
    "a path's beginning, by whole names",
    { auths: { "reg.io/tea": auth("a:p"), "reg.io/team": auth("b:p") } },
    {},
    "b:p",
  ],
  [
    "an entry for another port",
    { auths: { "reg.io": auth("u:p"), "reg.io/team": auth("u:p"), "reg.io:5001": auth("v:p") } },
    { registry: "reg.io:5000" },
    undefined,
  ],
  [
    "an entry for a port, asked for without",
    { auths: { "reg.io:5000": auth("u:p") }, credHelpers: { "reg.io:5000": "none" } },
    {},
    undefined,
  ],
  [
    "an entry for the port",
    { auths: { "reg.io": auth("u:p"), "reg.io:5000/team": auth("v:p") } },
    { registry: "reg.io:5000" },
    "v:p",
  ],
  ["another user's entry", { auths: { "reg.io": auth("u:p") } }, { user: "v" }, "v:typed"],
  ["the empty entry of a store", { auths: { "reg.io": {} } }, {}, undefined],
  ["no entries", {}, {}, undefined],
];

for (const [title, file, query, expected] of AUTH_TABLE) {
  test(`an auth file with ${title} is read`, async () => {
    const ask = () => Promise.resolve("typed");
    assert.equal((await find({ files: { [DOCKER]: file }, ask }, query)).found, expected);
  });
}

for (
  const [title, content] of [
    ["is not JSON", '{"auths":{"reg.io":{"auth":"hunter2"'],
    ["holds no object", "[]"],
    ["has a wrong auth", { auths: { "reg.io": { auth: "aHVudGVyMg==" } } }],
    ["names a helper with a slash", { credHelpers: { "reg.io": "../../bin/hunter2" } }],
  ] as const
) {
  test(`an auth file that ${title} is an error without its content`, async () => {
    await assert.rejects(find({ files: { [DOCKER]: content } }), (error: Error) => {
      assert.doesNotMatch(`${error.message} ${error.cause}`, /hunter2/);
      return isError("credentials", /config\.json" cannot be used/)(error);
    });
  });
}

test("when a user has no entry, the password is asked for", async () => {
  const questions: string[] = [];
  const ask: AskPassword = (question) => {
    questions.push(question);
    return Promise.resolve("typed");
  };
  const files = { [NETRC]: "machine reg.io login other password p" };
  assert.deepEqual(await find({ files, ask }, { user: "me" }), {
    found: "me:typed",
    log: ["info: Using credentials from the terminal"],
  });
  assert.deepEqual(questions, ["Password of user me at reg.io: "]);
});

test("when a user has no entry and there is no terminal, that is an error", async () => {
  await assert.rejects(
    find({}, { user: "me" }),
    isError("credentials", /There is no password for user me at reg\.io/),
  );
});
